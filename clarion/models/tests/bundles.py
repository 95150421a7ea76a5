"""MONAI bundles in name, converted without PyTorch."""

from pathlib import Path

from clarion.bundles.convert import Converted, named
from deploy.modelrepo.tests.models import put

NOTE = "the network is another runtime's"


def bundle(folder: Path) -> Path:
    """A folder that is taken for a bundle."""
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "metadata.json").write_text("{}")
    return folder


def convert(bundle: Path, into: Path, name: str | None = None) -> Converted:
    """A model by the name that the converter gives, with a note."""
    called = named(name or bundle.name)
    return Converted(called, put(into / called, b"weights"), (NOTE,))
