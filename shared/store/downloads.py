"""What was read of a remote store lies here for a while, as files that can be mapped.

Each process has its own, in a folder that the others find: all lie on one disk, so who finds it
short takes away what the others keep, too. Who has opened a file keeps it, and who asks for one
that is gone fetches it again.
"""

import os
import shutil
import time
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from shared.errors import Unavailable
from shared.store.lacking import forget, lacking, note
from shared.store.outage import as_outage
from shared.store.own_folder import all_folders, own_folder, put_away, remove_abandoned
from shared.store.port import ROOM

_KEPT = 2 << 30
"""Bytes: a study of 2000 slices with everything that is made of it."""
_OPENED_NS = 5 * 10**9
"""By then, whoever asked for a file has opened it."""
_COPIES, _PENDING, _LACKING = "copies", "pending", "lacking"
"""What lies in a process's folder; each can see what others lack, as any may be asked for it."""


class TooLarge(Exception):
    """The disk of the temporary folder could not hold this, if it held nothing else."""


class Downloads:
    """The newest `most` bytes of what was read, less where the disk has no `room` bytes more.

    Threads may share it. `disk` gives its bytes: all, used and free.
    """

    def __init__(
        self,
        most: int = _KEPT,
        room: int = ROOM,
        disk: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
    ) -> None:
        self._most, self._room, self._disk = most, room, disk
        self._lock = Lock()
        with as_outage():
            remove_abandoned()
            self._own, held = own_folder()
            weakref.finalize(self, put_away, self._own, held)

    def path(self, name: str, size: int, fetch: Callable[[], bytes]) -> Path:
        """The file of a name, fetched unless it is there.

        Raises `Unavailable("store")` when the disk takes no more, `TooLarge` when it never can,
        and what `fetch` raises.
        """
        local = self._own / _COPIES / name
        with as_outage():
            with suppress(FileNotFoundError):
                _note_use(local)
                return local
            self._require_disk(size)
        data = fetch()
        with self._lock, as_outage():
            self._make_room(size)
            self._write(local, data)
        return local

    def require_room(self) -> None:
        """Raises `Unavailable("store")` unless the disk takes another artifact.

        That is one of `room` bytes, or the largest that did not fit since this was last so.
        """
        with self._lock, as_outage():
            notes = [folder / _LACKING for folder in all_folders()]
            more = max(0, lacking(notes) - self._room)
            self._make_room(more)
            if self._is_short(more):
                raise Unavailable("store")
            forget(notes)

    def _require_disk(self, size: int) -> None:
        _, used, free = self._disk(self._own)
        if size > used + free:
            raise TooLarge(f"{size} bytes; the disk of {self._own.parent} holds {used + free}")

    def _make_room(self, size: int) -> None:
        own = _oldest_first([self._own])
        much = sum(copy.size for copy in own) + size - self._most
        for copy in own:
            if much <= 0 and not self._is_short(size):
                return
            copy.path.unlink(missing_ok=True)
            much -= copy.size
        if self._is_short(size):
            self._take_from_others(size)

    def _take_from_others(self, size: int) -> None:
        now = time.time_ns()
        for copy in _oldest_first(all_folders()):
            if not 0 <= now - copy.used_ns < _OPENED_NS:
                copy.path.unlink(missing_ok=True)
            if not self._is_short(size):
                return

    def _is_short(self, size: int) -> bool:
        _, _, free = self._disk(self._own)
        return free - size < self._room

    def _write(self, local: Path, data: bytes) -> None:
        pending = self._own / _PENDING
        try:
            local.parent.mkdir(parents=True, exist_ok=True)
            pending.write_bytes(data)
            _note_use(pending)
            pending.rename(local)
        except OSError:
            pending.unlink(missing_ok=True)
            note(self._own / _LACKING, len(data))
            raise


@dataclass(frozen=True)
class _Copy:
    path: Path
    size: int
    used_ns: int
    """When somebody asked for it last, since 1970."""


def _oldest_first(folders: Iterable[Path]) -> list[_Copy]:
    found = []
    for folder in folders:
        for where, _, names in os.walk(folder / _COPIES):
            for name in names:
                with suppress(FileNotFoundError):  # taken away by another meanwhile
                    path = Path(where, name)
                    told = path.stat()
                    found.append(_Copy(path, told.st_size, told.st_mtime_ns))
    return sorted(found, key=lambda copy: copy.used_ns)


def _note_use(path: Path) -> None:
    """To the nanosecond: what the system notes by itself is several milliseconds coarse."""
    now = time.time_ns()
    os.utime(path, ns=(now, now))
