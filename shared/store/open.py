"""The payload store that a setting names."""

from pathlib import Path
from urllib.parse import urlsplit

from shared.store.folder import FolderStore
from shared.store.port import PayloadStore


def open_store(url: str) -> PayloadStore:
    """`file:FOLDER` or `s3://BUCKET/PREFIX`. Raises `ValueError` for another scheme."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FolderStore(Path(parts.netloc + parts.path))
    if parts.scheme == "s3":
        from shared.store.s3 import S3Store  # only this store needs the S3 client

        return S3Store(url)
    raise ValueError(f"payload store {url!r}: use file:FOLDER or s3://BUCKET/PREFIX")
