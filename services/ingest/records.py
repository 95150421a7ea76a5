"""How the journal's records lie in a segment: self-describing, and checksummed.

header   magic, kind, length of the meta data, length of the data, CRC-32 of both, CRC-32
         of the header itself
meta     JSON, padded with spaces so that the data begin at a multiple of eight
data     for an instance its Part 10 file, whole
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import Struct
from typing import Any
from zlib import crc32

_HEAD = Struct("<4s4sIQI")
_SUM = Struct("<I")
_MAGIC = b"CLJ1"
_HEADER = _HEAD.size + _SUM.size
_ALIGNED = 8

INSTANCE, VERSION, PUBLISHED = b"inst", b"vers", b"publ"
OWN, IGNORED, COMMITMENT = b"own ", b"ignr", b"comm"
Part = bytes | memoryview


@dataclass(frozen=True)
class Record:
    """One record that was found whole: where its data lie, and where it ends."""

    kind: bytes
    meta: dict[str, Any]
    offset: int
    length: int
    end: int


def encode(kind: bytes, meta: dict[str, Any], data: Sequence[Part], at: int) -> list[Part]:
    """The parts to append at offset `at`; the data are not copied."""
    text = json.dumps(meta, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-(at + _HEADER + len(text)) % _ALIGNED)
    checksum = crc32(text)
    for part in data:
        checksum = crc32(part, checksum)
    head = _HEAD.pack(_MAGIC, kind, len(text), sum(map(len, data)), checksum)
    return [head + _SUM.pack(crc32(head)), text, *data]


def data_offset(parts: Sequence[Part], at: int) -> int:
    """Where the data of encoded parts begin in the segment."""
    return at + len(parts[0]) + len(parts[1])


def scan(path: Path, start: int = 0) -> Iterator[Record]:
    """The whole records from `start` on; ends before the first that is not whole."""
    if path.stat().st_size <= start:
        return
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        record = _record(data, start)
        while record:
            yield record
            record = _record(data, record.end)


def _record(data: mmap, at: int) -> Record | None:
    body = at + _HEADER
    if body > len(data):
        return None
    head = data[at : at + _HEAD.size]
    magic, kind, meta_length, length, checksum = _HEAD.unpack(head)
    if magic != _MAGIC or _SUM.unpack_from(data, at + _HEAD.size)[0] != crc32(head):
        return None
    offset, end = body + meta_length, body + meta_length + length
    if end > len(data):
        return None
    with memoryview(data) as view, view[body:end] as whole:
        if crc32(whole) != checksum:
            return None
    return Record(kind, json.loads(data[body:offset]), offset, length, end)


def write(descriptor: int, parts: Sequence[Part], at: int) -> int:
    """Write the parts at `at`, whole, and give the end. Raises `OSError`."""
    for part in parts:
        rest = memoryview(part)
        while rest:
            done = os.pwrite(descriptor, rest, at)
            at, rest = at + done, rest[done:]
    return at
