"""The versions in a folder that is a Triton model, of ours or of anybody."""

from pathlib import Path

from deploy.modelrepo import configuration
from deploy.modelrepo.origin import Source
from deploy.modelrepo.repository import CARD, Candidate


def is_triton_model(folder: Path) -> bool:
    return (folder / configuration.FILE).is_file()


def candidates(folder: Path, source: Source, card: Path | None = None) -> dict[int, Candidate]:
    """Its versions by number, lowest first; what a version lacks of its own is the model's.

    A `card` of who offers them, as in a catalog, precedes those in the folder.
    """
    numbers = sorted(int(each.name) for each in folder.iterdir() if each.name.isdigit())
    return {number: _candidate(folder, folder / str(number), source, card) for number in numbers}


def _candidate(model: Path, version: Path, source: Source, card: Path | None) -> Candidate:
    config = _own_or(model, version, configuration.FILE) or model / configuration.FILE
    return Candidate(version, config, card or _own_or(model, version, CARD), source)


def _own_or(model: Path, version: Path, file: str) -> Path | None:
    return next((p for p in (version / file, model / file) if p.is_file()), None)
