"""What was read of a remote store lies here for a while, as files that can be mapped.

The folder is the process's own, and locked for as long as the process lives: whoever comes next
removes those that a SIGKILL has left.
"""

import fcntl
import os
import shutil
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from uuid import uuid4

from shared.errors import Unavailable
from shared.store.outage import as_outage
from shared.store.port import ROOM

_KEPT = 2 << 30
"""Bytes: a study of 2000 slices with everything that is made of it."""
_PREFIX = "clarion-payloads-"


class Downloads:
    """The newest `most` bytes of what was read, less where the disk has no `room` bytes more.

    Threads may share it. Who has opened a file keeps it, whoever removes its name.
    """

    def __init__(self, most: int = _KEPT, room: int = ROOM) -> None:
        self._most, self._room = most, room
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()
        with as_outage():
            _remove_abandoned()
            self.folder, held = _own_folder()
        weakref.finalize(self, _put_away, self.folder, held)

    def path(self, name: str, size: int, fetch: Callable[[], bytes]) -> Path:
        """The file of a name, fetched unless it is there.

        Raises `Unavailable("store")` when the disk takes no more, and what `fetch` raises.
        """
        local = self.folder / name
        with self._lock:
            if name in self._sizes and local.exists():
                self._sizes.move_to_end(name)
                return local
        data = fetch()
        with self._lock, as_outage():
            self._make_room(size)
            _write(local, data)
            self._sizes[name] = len(data)
        return local

    def require_room(self) -> None:
        """Raises `Unavailable("store")` unless the disk takes another artifact."""
        with self._lock, as_outage():
            self._make_room(0)
            if self._is_short(0):
                raise Unavailable("store")

    def _make_room(self, size: int) -> None:
        while self._sizes and (self._is_much(size) or self._is_short(size)):
            name, _ = self._sizes.popitem(last=False)
            (self.folder / name).unlink(missing_ok=True)

    def _is_much(self, size: int) -> bool:
        return sum(self._sizes.values()) + size > self._most

    def _is_short(self, size: int) -> bool:
        return shutil.disk_usage(self.folder.parent).free - size < self._room


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pending = path.with_name(f"{path.name}.{uuid4()}")
    try:
        pending.write_bytes(data)
        pending.rename(path)
    except OSError:
        pending.unlink(missing_ok=True)
        raise


def _own_folder() -> tuple[Path, int]:
    """A new folder, and the descriptor that keeps it locked."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        held = _locked(folder)
        if held is not None:
            return folder, held


def _locked(folder: Path) -> int | None:
    """The folder's descriptor, locked; None when somebody else has it, or has removed it."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(held), folder.stat()):
            return held
    except OSError:
        pass
    os.close(held)
    return None


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        held = _locked(folder)
        if held is not None:
            _put_away(folder, held)


def _put_away(folder: Path, held: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(held)
