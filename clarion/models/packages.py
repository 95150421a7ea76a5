"""What an operator hands over, as Triton models: a folder, a zip, or a MONAI bundle."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from deploy.modelrepo import configuration
from deploy.modelrepo.candidates import is_triton_model
from deploy.modelrepo.refused import Refused

_METADATA = Path("configs", "metadata.json")
_UNPACKED = "unpacked"


@dataclass(frozen=True)
class Package:
    """A folder that is a Triton model, the name it goes by, and what its maker should know.

    `card` is that of who offers it, where it is not in the folder.
    """

    folder: Path
    name: str
    notes: tuple[str, ...] = ()
    card: Path | None = None


def opened(path: Path, scratch: Path, name: str | None) -> Package:
    """The Triton model in a folder or a zip; a MONAI bundle is converted on the way.

    `name` overrules what the model calls itself. Raises `Refused` for what is neither.
    """
    if not path.exists():
        raise Refused("no-such-path", f"{path} does not exist")
    if path.suffix == ".ts":
        return _converted(path, scratch, name)
    folder = _unpacked(path, scratch / _UNPACKED)
    called = path.stem if folder.name == _UNPACKED else folder.resolve().name
    if is_triton_model(folder):
        said = configuration.read(folder / configuration.FILE).name
        return Package(folder, name or said or called)
    if (folder / _METADATA).is_file():
        return _converted(folder, scratch, name or called)
    raise Refused(
        "no-model",
        f"{path} is neither a Triton model (config.pbtxt beside numbered folders) nor a MONAI "
        f"bundle ({_METADATA})",
    )


def _unpacked(path: Path, into: Path) -> Path:
    """The folder itself, or what a zip holds; a single folder in a zip is opened."""
    if path.is_dir():
        return path
    if not zipfile.is_zipfile(path):
        raise Refused("no-model", f"{path} is neither a folder nor a zip")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(into)
    found = list(into.iterdir())
    return found[0] if len(found) == 1 and found[0].is_dir() else into


def _converted(bundle: Path, scratch: Path, name: str | None) -> Package:
    # Imported when needed: converting needs more than the rest of the command line.
    from clarion.bundles.convert import convert

    made = convert(bundle, scratch / "converted", name)
    return Package(made.folder, made.name, tuple(made.notes))
