"""The digest by which results tell which weights made them."""

import hashlib
from pathlib import Path

BESIDE = frozenset({"config.pbtxt", "card.md", "origin.yaml"})
"""What a version's folder may hold that is about the weights and none of them."""


def weights_digest(version: Path) -> str:
    """The sha256 of a version's one file; of several, that of the list of their digests.

    One file is the rule, and `sha256sum` on it tells the same. Raises `FileNotFoundError` for a
    folder without weights.
    """
    files = _weights(version)
    if not files:
        raise FileNotFoundError(f"no weights in {version}")
    if len(files) == 1:
        return file_digest(files[0])
    lines = (f"{file_digest(each)}  {each.relative_to(version).as_posix()}\n" for each in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights(version: Path) -> list[Path]:
    return sorted(
        each
        for each in version.rglob("*")
        if each.is_file()
        and each.name not in BESIDE
        and "__pycache__" not in each.relative_to(version).parts
    )
