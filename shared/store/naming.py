"""How artifacts are named: by their content's hash, with a suffix that people recognise."""

import hashlib
from pathlib import Path

from shared.events.models import PayloadRef

_SUFFIXES = {
    "application/dicom": ".dcm",
    "application/json": ".json",
    "application/pdf": ".pdf",
    "application/vnd.clarion.segment": ".segment",
    "application/x-metaimage": ".mha",
    "application/yaml": ".yaml",
    "image/png": ".png",
    "text/csv": ".csv",
    "text/plain": ".txt",
}


def named(sha256: str, size: int, media_type: str) -> PayloadRef:
    """`artifacts/ab/abcd….mha`: one level of folders keeps listings short."""
    uri = f"artifacts/{sha256[:2]}/{sha256}{_SUFFIXES.get(media_type, '.bin')}"
    return PayloadRef(uri=uri, sha256=sha256, size=size, media_type=media_type)


def named_bytes(data: bytes, media_type: str) -> PayloadRef:
    """The reference that these bytes have."""
    return named(hashlib.sha256(data).hexdigest(), len(data), media_type)


def named_file(path: Path, media_type: str, sha256: str | None) -> PayloadRef:
    """The reference of a file's bytes, which are not read where their hash is known."""
    with path.open("rb") as file:
        sha256 = sha256 or hashlib.file_digest(file, "sha256").hexdigest()
    return named(sha256, path.stat().st_size, media_type)
