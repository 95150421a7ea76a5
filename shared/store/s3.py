"""A payload store in S3, for several hosts. Refused at start if create-if-absent is not kept."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store as Bucket

from shared.errors import Unavailable
from shared.events.models import PayloadRef
from shared.store.downloads import Downloads
from shared.store.naming import named_bytes, named_file
from shared.store.port import PayloadMissing


class S3Store:
    """See `PayloadStore`; credentials and endpoint come from the usual AWS_… variables."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        plain_http = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http:")
        self._bucket = Bucket(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options={"allow_http": plain_http},
        )
        self._downloads = Downloads()
        self._refuse_overwriting()

    def _refuse_overwriting(self) -> None:
        key = f"probe/{uuid4()}"
        try:
            first, second = self.create(key, b"1"), self.create(key, b"2")
        finally:
            self.delete(key)
        if not first or second:
            raise ValueError(
                "this S3 service overwrites objects that exist (If-None-Match is ignored): "
                "outcomes would not be safe in it; use one that keeps conditional writes"
            )

    def put(self, data: bytes, media_type: str) -> PayloadRef:
        ref = named_bytes(data, media_type)
        with _unavailable():
            obstore.put(self._bucket, ref.uri, data)  # what is there is the same, and new again
        return ref

    def put_parts(self, parts: Iterable[bytes | memoryview], media_type: str) -> PayloadRef:
        return self.put(b"".join(parts), media_type)

    def put_file(self, path: Path, media_type: str, sha256: str | None = None) -> PayloadRef:
        ref = named_file(path, media_type, sha256)
        with _unavailable():
            obstore.put(self._bucket, ref.uri, path)
        return ref

    def get(self, ref: PayloadRef) -> bytes:
        data = self.read(ref.uri)
        if data is None:
            raise PayloadMissing(ref.sha256)
        return data

    def path(self, ref: PayloadRef) -> Path:
        return self._downloads.path(ref.uri, ref.size, lambda: self.get(ref))

    def where(self, ref: PayloadRef) -> Path | None:
        with _unavailable():
            try:
                obstore.head(self._bucket, ref.uri)
            except FileNotFoundError:
                raise PayloadMissing(ref.sha256) from None
        return None

    def create(self, key: str, data: bytes) -> bool:
        with _unavailable():
            try:
                obstore.put(self._bucket, key, data, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def mark(self, key: str) -> None:
        with _unavailable():
            obstore.put(self._bucket, key, b"")

    def read(self, key: str) -> bytes | None:
        with _unavailable():
            try:
                return bytes(obstore.get(self._bucket, key).bytes())
            except FileNotFoundError:
                return None

    def keys(self, prefix: str) -> list[str]:
        with _unavailable():
            batches = obstore.list(self._bucket, prefix.rstrip("/"))
            return sorted(item["path"] for batch in batches for item in batch)

    def delete(self, key: str) -> None:
        with _unavailable():
            try:
                obstore.delete(self._bucket, key)
            except FileNotFoundError:
                return

    def discard(self, uri: str, before: datetime) -> bool:
        with _unavailable():
            try:
                if obstore.head(self._bucket, uri)["last_modified"] >= before:
                    return False
                obstore.delete(self._bucket, uri)
            except FileNotFoundError:
                return False
        return True

    def probe(self) -> None:
        key = f"probe/{uuid4()}"
        self.create(key, b"probe")
        self.delete(key)
        self._downloads.require_room()


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except BaseError as error:
        raise Unavailable("store") from error
