"""What an operator hands over, as Triton models: a folder, a zip, or a MONAI bundle."""

import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deploy.modelrepo import configuration
from deploy.modelrepo.candidates import model_of
from deploy.modelrepo.refused import Refused
from shared.inference.weights import is_left_behind

_METADATA = Path("configs", "metadata.json")
_UNPACKED = "unpacked"


@dataclass(frozen=True)
class Package:
    """A folder that is a Triton model or a version of one, its name, and what to know of it.

    `card` is that of who offers it, where it is not in the folder.
    """

    folder: Path
    name: str
    notes: tuple[str, ...] = ()
    card: Path | None = None


def opened(path: Path, scratch: Path, name: str | None) -> Package:
    """The Triton model in a folder or a zip; a MONAI bundle is converted on the way.

    `name` overrules what the model calls itself, to the letter. Raises `Refused` for what is
    neither.
    """
    if not path.exists():
        raise Refused("no-such-path", f"{path} does not exist")
    if path.suffix == ".ts":
        return _converted(path, scratch, name, None)
    folder = _unpacked(path, scratch / _UNPACKED)
    model = model_of(folder)
    called = path.stem if folder.name == _UNPACKED else (model or folder).resolve().name
    if model:
        said = configuration.read(model / configuration.FILE).name
        return Package(folder, name or said or called)
    if (folder / _METADATA).is_file():
        return _converted(folder, scratch, name, called)
    raise Refused(
        "no-model",
        f"{path} is neither a Triton model (config.pbtxt beside numbered folders) nor a MONAI "
        f"bundle ({_METADATA})",
    )


def _unpacked(path: Path, into: Path) -> Path:
    """The folder itself, or what a zip holds; a single folder in a zip is opened.

    Raises `Refused` for a zip that can't be unpacked whole.
    """
    if path.is_dir():
        return path
    if not zipfile.is_zipfile(path):
        raise Refused("no-model", f"{path} is neither a folder nor a zip")
    into.mkdir(parents=True)
    try:
        with zipfile.ZipFile(path) as archive:
            meant = [
                each
                for each in archive.infolist()
                if not is_left_behind(PurePosixPath(each.filename))
            ]
            _require_room(path, meant, into)
            archive.extractall(into, meant)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise Refused("bad-zip", f"{path} can't be unpacked: {error}") from None
    found = list(into.iterdir())
    return found[0] if len(found) == 1 and found[0].is_dir() else into


def _require_room(path: Path, members: list[zipfile.ZipInfo], into: Path) -> None:
    """Room for two: what is unpacked is copied into the home."""
    needed, free = sum(each.file_size for each in members), shutil.disk_usage(into).free
    if 2 * needed > free:
        raise Refused(
            "no-room",
            f"{path} unpacks to {needed / 1e9:.1f} GB, of which there have to be two for a moment; "
            f"{into} has {free / 1e9:.1f} GB free",
        )


def _converted(bundle: Path, scratch: Path, name: str | None, called: str | None) -> Package:
    # Imported when needed: converting needs more than the rest of the command line.
    from clarion.bundles.convert import convert

    made = convert(bundle, scratch / "converted", name or called)
    return Package(made.folder, name or made.name, tuple(made.notes))
