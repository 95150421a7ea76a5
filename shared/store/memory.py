"""A payload store in memory, for tests: the fake beside the port."""

import tempfile
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from shared.events.models import PayloadRef
from shared.store.naming import named_bytes
from shared.store.port import PayloadMissing


class MemoryStore:
    """Keeps everything in a dict; files that somebody maps go to a temporary folder."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._kept_at: dict[str, datetime] = {}
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="clarion-memory-store-")

    def put(self, data: bytes, media_type: str) -> PayloadRef:
        ref = named_bytes(data, media_type)
        self._objects[ref.uri] = data
        self._kept_at[ref.uri] = datetime.now(UTC)
        return ref

    def put_parts(self, parts: Iterable[bytes | memoryview], media_type: str) -> PayloadRef:
        return self.put(b"".join(parts), media_type)

    def put_file(self, path: Path, media_type: str, sha256: str | None = None) -> PayloadRef:
        ref = self.put(path.read_bytes(), media_type)
        if sha256 not in (None, ref.sha256):
            raise ValueError("the file is not what its digest says")
        return ref

    def get(self, ref: PayloadRef) -> bytes:
        try:
            return self._objects[ref.uri]
        except KeyError:
            raise PayloadMissing(ref.sha256) from None

    def path(self, ref: PayloadRef) -> Path:
        local = Path(self._folder.name) / ref.uri
        if not local.exists():
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_bytes(self.get(ref))
        return local

    def where(self, ref: PayloadRef) -> Path | None:
        return self.path(ref)

    def create(self, key: str, data: bytes) -> bool:
        with self._lock:
            if key in self._objects:
                return False
            self._objects[key] = data
            return True

    def mark(self, key: str) -> None:
        self._objects[key] = b""

    def read(self, key: str) -> bytes | None:
        return self._objects.get(key)

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self._objects if key.startswith(prefix))

    def delete(self, key: str) -> None:
        self._objects.pop(key, None)

    def discard(self, uri: str, before: datetime) -> bool:
        if uri not in self._objects or self._kept_at.get(uri, before) >= before:
            return False
        del self._objects[uri]
        return True

    def probe(self) -> None:
        return None
