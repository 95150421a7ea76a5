"""A temporary folder of a process's own, which the others can find.

It is locked for as long as the process lives: whoever comes next removes those that a SIGKILL has
left.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PREFIX = "clarion-payloads-"


def own_folder() -> tuple[Path, int]:
    """A new folder, and the descriptor that keeps it locked.

    Raises `OSError`, and leaves nothing, where the system gives neither locks nor descriptors.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        try:
            held = _locked(folder)
        except OSError:
            folder.rmdir()
            raise
        if held is not None:
            return folder, held


def all_folders() -> Iterator[Path]:
    """The folders of all processes of this user, dead ones included.

    Others may make what they like in a temporary folder that all users share.
    """
    with os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_uid == os.getuid():
                        yield Path(entry.path)


def remove_abandoned() -> None:
    """Remove the folders whose process has ended. Raises `OSError`."""
    for folder in all_folders():
        held = _locked(folder)
        if held is not None:
            put_away(folder, held)


def put_away(folder: Path, held: int) -> None:
    """Remove a folder that is locked."""
    shutil.rmtree(folder, ignore_errors=True)
    os.close(held)


def _locked(folder: Path) -> int | None:
    """The folder's descriptor, locked; None when somebody else has it, or has removed it."""
    try:
        return _lock(folder)
    except (BlockingIOError, FileNotFoundError):
        return None


def _lock(folder: Path) -> int:
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(held), folder.stat()):
            raise FileNotFoundError(folder)
    except OSError:
        os.close(held)
        raise
    return held
