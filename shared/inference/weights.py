"""Which files are a version's weights, and the digest by which results tell what made them.

The embedded Triton computes the digest with this file too, in an environment without Clarion's
packages: it needs the standard library alone.
"""

import hashlib
from fnmatch import fnmatch
from pathlib import Path, PurePath

LEFT_BEHIND = ("__pycache__", "__MACOSX", ".*")
"""Patterns of names, of files and folders, that programs leave behind: no part of a model."""
_ABOUT = frozenset({".md", ".pbtxt", ".yaml"})
"""Suffixes of what lies in a version's folder, is about the weights, and is none of them."""


def weights_files(version: Path) -> list[Path]:
    """Every file of a version's folder that its digest is of, in the order of paths."""
    return sorted(
        each
        for each in version.rglob("*")
        if each.is_file()
        and each.suffix not in _ABOUT
        and not is_left_behind(each.relative_to(version))
    )


def weights_digest(version: Path) -> str:
    """The sha256 of a version's one file; of several, that of the list of their digests.

    One file is the rule, and `sha256sum` on it tells the same. Raises `FileNotFoundError` for a
    folder without weights.
    """
    files = weights_files(version)
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


def is_left_behind(path: PurePath) -> bool:
    """Whether one of its names, relative to the model, is of those that nobody meant."""
    return any(fnmatch(name, pattern) for name in path.parts for pattern in LEFT_BEHIND)
