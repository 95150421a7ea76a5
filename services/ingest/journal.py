"""The journal: what was acknowledged lies here, in segments that are appended to and synced.

One segment holds what one process received of one case, so that a case's version is made of a
few files that are complete, immutable and can be linked into the payload store as they are.
A process never appends to a segment of an earlier one. What a segment holds behind its last
whole record was never acknowledged, and is cut off.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from errno import ESTALE
from fcntl import LOCK_EX, LOCK_NB, lockf
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

from services.ingest.cases import Place
from services.ingest.records import Part, Record, data_offset, encode, scan, write

_SUFFIX = ".segment"
_DECISIONS = "decisions"
_LOCK = "lock"
_OVERSIZED = 64 << 20


class Replaced(OSError):
    """Another folder lies where the journal was, as after a mount that came back: what this
    process has open leads elsewhere, and only a new start opens what lies there."""


class Segment:
    """A segment that this process appends to; the caller sees to one writer at a time."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self.name = f"{prefix}.{uuid4().hex}{_SUFFIX}"
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
        self._descriptor = os.open(folder / self.name, flags, 0o640)
        _sync_folder(folder)
        self._hash = hashlib.sha256()
        self.size = 0

    def append(self, kind: bytes, meta: dict[str, Any], *data: Part) -> int:
        """Write one record and sync it; gives the offset of its data.

        Raises `OSError` when it could not be kept, and leaves the segment as it was.
        """
        parts = encode(kind, meta, data, self.size)
        try:
            end = write(self._descriptor, parts, self.size)
            os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        for part in parts:
            self._hash.update(part)
        offset = data_offset(parts, self.size)
        self.size = end
        return offset

    def seal(self) -> str:
        """Close the segment for good; gives its sha256, which was computed on the way."""
        os.close(self._descriptor)
        return self._hash.hexdigest()


class Journal:
    """The folder of segments: one per case, and one of decisions."""

    def __init__(self, folder: Path) -> None:
        """Raises `BlockingIOError` while another process has the journal: recovery cuts what
        seems broken, and must not meet a writer."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = (folder / _LOCK).open("w")
        lockf(self._lock, LOCK_EX | LOCK_NB)
        self._own_lock = os.fstat(self._lock.fileno())
        self._open: dict[str, Segment] = {}
        self._digests: dict[str, str] = {}
        self._deciding = Lock()

    def free(self) -> int:
        """Bytes free where the journal lies.

        Raises `OSError` while its folder is away, `Replaced` when another is in its place.
        """
        self._look()
        return shutil.disk_usage(self.folder).free

    def _look(self) -> None:
        """By its lock: a mount that is lost leaves an empty folder of another disk, and what was
        acknowledged into that would be hidden when the mount is back."""
        if not os.path.samestat(self._own_lock, (self.folder / _LOCK).stat()):
            raise Replaced(ESTALE, os.strerror(ESTALE))

    def append(
        self, case: str, kind: bytes, meta: dict[str, Any], data: Sequence[Part]
    ) -> tuple[str, int]:
        """Append to the case's open segment; gives its name and the offset of the data.

        The caller sees to one writer per case at a time. Raises `OSError`; a segment that
        failed is given up, since what a failed sync leaves behind is unknown. An oversized
        instance has a segment of its own.
        """
        alone = sum(map(len, data)) > _OVERSIZED
        if alone:
            self.seal(case)
        segment = self._open.get(case) or self._new(case)
        self._open[case] = segment
        try:
            offset = segment.append(kind, meta, *data)
        except OSError:
            self.seal(case)
            raise
        if alone:
            self.seal(case)
        return segment.name, offset

    def _new(self, case: str) -> Segment:
        self._look()
        return Segment(self.folder, case)

    def decide(self, kind: bytes, meta: dict[str, Any]) -> None:
        """Append a decision, synced. Raises `OSError`."""
        with self._deciding:
            self.append(_DECISIONS, kind, meta, ())

    def seal(self, case: str) -> None:
        """Close the case's open segment, if there is one; nothing is appended to it again."""
        segment = self._open.pop(case, None)
        if segment:
            digest = segment.seal()
            if case != _DECISIONS and segment.size:
                self._digests[segment.name] = digest

    def close(self) -> None:
        """Close every segment, and let another process have the journal."""
        for case in list(self._open):
            self.seal(case)
        self._lock.close()

    def path(self, name: str) -> Path:
        """The file of a segment."""
        return self.folder / name

    def read(self, place: Place) -> bytes:
        """The Part 10 file that lies at a place."""
        with self.path(place.segment).open("rb") as file:
            return os.pread(file.fileno(), place.length, place.offset)

    def names(self) -> list[str]:
        """Every segment that lies in the folder."""
        return sorted(path.name for path in self.folder.glob(f"*{_SUFFIX}"))

    def recover(self, name: str, start: int) -> Iterator[Record]:
        """The whole records from `start` on; afterwards the file ends with the last of them."""
        path, end = self.path(name), start
        for record in scan(path, start):
            end = record.end
            yield record
        if path.stat().st_size > end:
            with path.open("r+b") as file:
                file.truncate(end)
                os.fsync(file.fileno())

    def digest(self, name: str) -> str:
        """The sha256 of a sealed segment; read again where it is not known any more."""
        known = self._digests.get(name)
        if known:
            return known
        with self.path(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def forget(self, names: Iterable[str]) -> None:
        """Nobody is about to ask for these digests: most studies of a hospital make no version."""
        for name in names:
            self._digests.pop(name, None)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
