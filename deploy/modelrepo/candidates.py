"""The versions in a folder that is a Triton model, of ours or of anybody."""

from collections.abc import Collection
from pathlib import Path

from deploy.modelrepo import configuration
from deploy.modelrepo.origin import Source
from deploy.modelrepo.repository import CARD, Candidate


def is_triton_model(folder: Path) -> bool:
    return (folder / configuration.FILE).is_file()


def model_of(folder: Path) -> Path | None:
    """The Triton model that a folder is, or is a version of; None for what is neither."""
    whole = folder.resolve()
    if whole.name.isdigit() and is_triton_model(whole.parent):
        return whole.parent
    return whole if is_triton_model(whole) else None


def candidates(folder: Path, source: Source, card: Path | None = None) -> dict[int, Candidate]:
    """Its versions by number, lowest first, or the one that it is itself.

    What a version lacks of its own is the model's. A `card` of who offers them, as in a catalog,
    precedes those in the folder.
    """
    model, whole = model_of(folder) or folder, folder.resolve()
    numbered = sorted((int(each.name), each) for each in whole.iterdir() if each.name.isdigit())
    if not numbered and whole.name.isdigit():
        numbered = [(int(whole.name), whole)]
    return {number: _candidate(model, version, source, card) for number, version in numbered}


def answering(folder: Path, numbers: Collection[int]) -> int:
    """Of a Triton model's versions the one that Triton lets answer: the highest that it may."""
    model = model_of(folder)
    if model is None or len(numbers) == 1:
        return max(numbers)
    config = configuration.read(model / configuration.FILE)
    return max({*config.version_policy.specific.versions} & {*numbers} or numbers)


def _candidate(model: Path, version: Path, source: Source, card: Path | None) -> Candidate:
    config = _own_or(model, version, configuration.FILE) or model / configuration.FILE
    return Candidate(version, config, card or _own_or(model, version, CARD), source)


def _own_or(model: Path, version: Path, file: str) -> Path | None:
    return next((p for p in (version / file, model / file) if p.is_file()), None)
