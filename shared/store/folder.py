"""A payload store in a local folder: write, fsync, link, fsync the folder.

A name appears only when its bytes are safe, and never with other bytes: `link` fails when
the name exists. The page cache is the shared memory between the services of one host.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from secrets import token_hex

from shared.events.models import PayloadRef
from shared.store.lacking import forget, lacking, note
from shared.store.naming import named, named_bytes, named_file
from shared.store.outage import as_outage
from shared.store.port import ROOM, PayloadMissing

_DAY_S = 24 * 3600.0


class FolderStore:
    """See `PayloadStore`; `root` is made when it is missing.

    With less than `room` bytes free it is down, and until what did not fit would leave as much:
    a probe that only a few bytes had to pass would blame the study whose volume did not.
    """

    def __init__(self, root: Path, room: int = ROOM) -> None:
        self._root, self._room = root, room
        self._pending, self._lacking = root / "pending", root / "pending/lacking"
        with as_outage():
            self._pending.mkdir(parents=True, exist_ok=True)
            self._remove_abandoned()

    def _remove_abandoned(self) -> None:
        """What a SIGKILL or a power cut left half written: nobody writes at a file for a day."""
        yesterday = time.time() - _DAY_S
        for path in self._pending.iterdir():
            with suppress(FileNotFoundError):  # written whole, or removed by another, meanwhile
                if path.stat().st_mtime < yesterday:
                    path.unlink()

    def put(self, data: bytes, media_type: str) -> PayloadRef:
        ref = named_bytes(data, media_type)
        with as_outage():
            self._keep(ref.uri, lambda: self._write(ref.uri, data))
        return ref

    def put_parts(self, parts: Iterable[bytes | memoryview], media_type: str) -> PayloadRef:
        sha256, size = hashlib.sha256(), 0
        with as_outage(), self._new_file() as (file, path):
            for part in parts:
                sha256.update(part)
                size += self._write_all(file, part)
            os.fdatasync(file)
            ref = named(sha256.hexdigest(), size, media_type)
            self._keep(ref.uri, lambda: self._link(path, ref.uri))
        return ref

    def put_file(self, path: Path, media_type: str, sha256: str | None = None) -> PayloadRef:
        with as_outage():
            ref = named_file(path, media_type, sha256)
            _sync(path)
            self._keep(ref.uri, lambda: self._link_or_copy(path, ref.uri))
        return ref

    def get(self, ref: PayloadRef) -> bytes:
        with as_outage():
            return self.path(ref).read_bytes()

    def path(self, ref: PayloadRef) -> Path:
        local = self._root / ref.uri
        if not local.is_file() or local.stat().st_size != ref.size:
            self._require_folder()
            raise PayloadMissing(ref.sha256)
        return local

    def where(self, ref: PayloadRef) -> Path | None:
        return self.path(ref).resolve()

    def create(self, key: str, data: bytes) -> bool:
        with as_outage():
            return self._write(key, data)

    def mark(self, key: str) -> None:
        with as_outage():
            try:
                (self._root / key).touch()
            except FileNotFoundError:
                self._require_folder()
                self._make((self._root / key).parent)
                (self._root / key).touch()

    def read(self, key: str) -> bytes | None:
        with as_outage():
            try:
                return (self._root / key).read_bytes()
            except FileNotFoundError:
                self._require_folder()
                return None

    def keys(self, prefix: str) -> list[str]:
        with as_outage():
            found = (self._root / prefix).rglob("*")
            keys = sorted(str(path.relative_to(self._root)) for path in found if path.is_file())
        if not keys:
            self._require_folder()
        return keys

    def delete(self, key: str) -> None:
        with as_outage():
            try:
                (self._root / key).unlink()
            except FileNotFoundError:
                self._require_folder()

    def discard(self, uri: str, before: datetime) -> bool:
        """Under a lock of the file: who keeps it again comes before, or waits and finds it gone."""
        with as_outage():
            try:
                with self._locked(uri, fcntl.LOCK_EX) as file:
                    if os.fstat(file).st_mtime >= before.timestamp():
                        return False
                    (self._root / uri).unlink()
            except FileNotFoundError:
                return False
        return True

    def probe(self) -> None:
        with as_outage(), tempfile.TemporaryFile(dir=self._pending) as file:
            file.write(b"probe")
            if shutil.disk_usage(self._pending).free < max(self._room, lacking([self._lacking])):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            forget([self._lacking])

    def _keep(self, key: str, write: Callable[[], bool]) -> None:
        """Until it is there and new: between two steps of this, somebody may discard it."""
        while not self._kept_again(key):
            write()

    def _kept_again(self, key: str) -> bool:
        """Whether it is there; it is as new from now on."""
        try:
            with self._locked(key, fcntl.LOCK_SH) as file:
                os.utime(file)
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def _locked(self, key: str, how: int) -> Iterator[int]:
        """The artifact's file, which has its name as long as the lock is held.

        Raises FileNotFoundError. The lock ends with the process that holds it.
        """
        path = self._root / key
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(file, how)
            if not os.path.samestat(os.fstat(file), path.stat()):
                raise FileNotFoundError(path)
            yield file
        finally:
            os.close(file)

    def _link_or_copy(self, source: Path, key: str) -> bool:
        try:
            return self._link(source, key)
        except OSError:
            return self._write(key, source.read_bytes())

    def _write(self, key: str, data: bytes) -> bool:
        with self._new_file() as (file, path):
            self._write_all(file, data)
            os.fdatasync(file)
            return self._link(path, key)

    @contextmanager
    def _new_file(self) -> Iterator[tuple[int, Path]]:
        """A file that only this call knows, open for writing, gone when it is over."""
        path = self._pending / token_hex(16)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor, path
        finally:
            os.close(descriptor)
            path.unlink()

    def _write_all(self, file: int, data: bytes | memoryview) -> int:
        """Write everything: one call of the system writes 2 GiB at most. Gives the bytes written.

        What does not fit is noted, as far as it is known: of parts, those up to this one.
        """
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest:
                rest = rest[os.write(file, rest) :]
        except OSError:
            note(self._lacking, os.fstat(file).st_size + len(rest) + self._room)
            raise
        return size

    def _link(self, source: Path, key: str) -> bool:
        target = self._root / key
        try:
            try:
                os.link(source, target)
            except FileNotFoundError:
                self._require_folder()
                self._make(target.parent)
                os.link(source, target)
        except FileExistsError:
            return False
        _sync(target.parent)
        return True

    def _require_folder(self) -> None:
        """What is not there may not be because the whole store is away: then nothing is known."""
        with as_outage():
            self._pending.stat()

    def _make(self, folder: Path) -> None:
        """A folder that is there after a power cut too: each new name in its parent is synced."""
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
            _sync(folder.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
