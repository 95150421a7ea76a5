"""What a disk did not take: how large it was, for every process that asks whether there is room.

Else a probe that asks for less would blame the study. It is an empty file of that length, which
takes no room itself, and none where all did fit.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path

_WAITED_FOR_S = 6 * 3600.0
"""By then, a job that waited for it has failed at its deadline, and holds up nobody else."""


def note(file: Path, size: int) -> None:
    """So many bytes did not fit. Raises `OSError`, as where the folder is not there."""
    with file.open("ab") as opened:
        opened.truncate(max(size, lacking([file])))
    os.utime(file)


def lacking(files: Iterable[Path]) -> int:
    """The bytes of the largest that did not fit; 0 when all did, or nobody waits for it now."""
    return max(map(_size, files), default=0)


def forget(files: Iterable[Path]) -> None:
    """There is room for all of it."""
    for file in files:
        file.unlink(missing_ok=True)


def _size(file: Path) -> int:
    try:
        told = file.stat()
    except FileNotFoundError:
        return 0
    return told.st_size if time.time() - told.st_mtime < _WAITED_FOR_S else 0
