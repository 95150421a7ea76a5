"""The payload store, as services see it."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from shared.events.models import PayloadRef

ROOM = 256 << 20
"""Bytes: about what a CT of 500 slices takes (512² voxels of 16 bits)."""


class PayloadStore(Protocol):
    """Immutable artifacts named by their content, and keyed objects created once.

    Every method raises `Unavailable("store")` when the store can't be reached or written.
    """

    def put(self, data: bytes, media_type: str) -> PayloadRef:
        """Keep bytes; the same bytes again give the same reference."""
        ...

    def put_parts(self, parts: Iterable[bytes | memoryview], media_type: str) -> PayloadRef:
        """Keep the bytes of all parts in a row; a local store never holds them all at once.

        What `parts` raises passes through, and nothing is kept.
        """
        ...

    def put_file(self, path: Path, media_type: str, sha256: str | None = None) -> PayloadRef:
        """Keep a file that nobody will change again; linked, not copied, where that is possible."""
        ...

    def get(self, ref: PayloadRef) -> bytes:
        """The bytes of an artifact. Raises `PayloadMissing` when it is gone."""
        ...

    def path(self, ref: PayloadRef) -> Path:
        """A local file with the bytes, to be opened at once. Raises `PayloadMissing`.

        Who has opened or mapped it keeps it; of a store elsewhere it is a copy that will go.
        """
        ...

    def where(self, ref: PayloadRef) -> Path | None:
        """The file in which the store keeps it on this machine, None when it is kept elsewhere.

        Raises `PayloadMissing`.
        """
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Write a keyed object unless it exists; tells whether this call wrote it."""
        ...

    def mark(self, key: str) -> None:
        """Write an empty keyed object that outlives every process, but perhaps not a power cut."""
        ...

    def read(self, key: str) -> bytes | None:
        """A keyed object, or None."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """The keys below a prefix that ends in a slash, sorted."""
        ...

    def delete(self, key: str) -> None:
        """Remove a keyed object; gone already is fine."""
        ...

    def discard(self, uri: str, before: datetime) -> bool:
        """Remove an artifact that nobody has kept since then; tells whether this call did.

        Whoever keeps the same bytes again has an artifact that is new, even if it was there.
        """
        ...

    def probe(self) -> None:
        """Raises `Unavailable("store")` unless it can be written, and has room for an artifact."""
        ...


class PayloadMissing(Exception):
    """An artifact that an event refers to is not in the store, or not what it should be."""
