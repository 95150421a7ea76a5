"""Walks the data elements of a data set (PS3.5 7) without building objects.

A reception must be indexed in well under the time that pydicom needs to parse a header, and a
sender's broken lengths must be noticed, not read past: so only the top level is walked here,
over the bytes as they came, and everything below a sequence is skipped without recursion.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
_LARGEST_INFLATED = 1 << 28


class Malformed(Exception):
    """The bytes are no data set of that transfer syntax; the message is a code."""


@dataclass(frozen=True)
class Element:
    """Where one element's value lies; `vr` is None where the syntax does not name it."""

    tag: int
    vr: bytes | None
    start: int
    length: int
    undefined: bool


@dataclass(frozen=True)
class _Syntax:
    implicit: bool
    short: Struct
    long: Struct


_IMPLICIT = _Syntax(True, Struct("<HHL"), Struct("<L"))
_LITTLE = _Syntax(False, Struct("<HH2sH"), Struct("<L"))
_BIG = _Syntax(False, Struct(">HH2sH"), Struct(">L"))
_PLAIN = {_LITTLE: _IMPLICIT, _BIG: _Syntax(True, Struct(">HHL"), Struct(">L"))}


def _syntax(transfer_syntax: str) -> _Syntax:
    if transfer_syntax == ImplicitVRLittleEndian:
        return _IMPLICIT
    return _BIG if transfer_syntax == ExplicitVRBigEndian else _LITTLE


def plain(data: bytes, transfer_syntax: str, largest: int = _LARGEST_INFLATED) -> bytes:
    """The data set, inflated where its syntax deflates, up to `largest` bytes: a few of them can
    stand for any amount of memory. Raises `Malformed`."""
    if transfer_syntax != DeflatedExplicitVRLittleEndian:
        return data
    try:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        inflated = inflater.decompress(data, largest)
    except zlib.error:
        raise Malformed("not-deflated") from None
    if inflater.unconsumed_tail:
        raise Malformed("inflates-too-far")
    return inflated


def walk(data: bytes, transfer_syntax: str) -> Iterator[Element]:
    """The top-level elements in order. Raises `Malformed` where they can't be followed."""
    syntax, position = _syntax(transfer_syntax), 0
    while position < len(data):
        element = _header(data, position, syntax)
        position = _end(data, element, syntax)
        yield element


def _header(data: bytes, position: int, syntax: _Syntax) -> Element:
    start = position + 8
    if start > len(data):
        raise Malformed("truncated")
    if syntax.implicit:
        group, number, length = syntax.short.unpack_from(data, position)
        return Element(group << 16 | number, None, start, length, length == UNDEFINED)
    group, number, vr, length = syntax.short.unpack_from(data, position)
    tag = group << 16 | number
    if vr in _LONG:
        if start + 4 > len(data):
            raise Malformed("truncated")
        length = syntax.long.unpack_from(data, start)[0]
        return Element(tag, vr, start + 4, length, length == UNDEFINED)
    if group == 0xFFFE or not (vr.isalpha() and vr.isupper()):  # items have no VR; nor have slips
        return _header(data, position, _PLAIN[syntax])
    return Element(tag, vr, start, length, False)


def _end(data: bytes, element: Element, syntax: _Syntax) -> int:
    if element.undefined:
        return _skip(data, element, syntax)
    end = element.start + element.length
    if end > len(data):
        raise Malformed("truncated")
    return end


def _skip(data: bytes, element: Element, syntax: _Syntax) -> int:
    """The end of an element of undefined length: what was opened below it must be closed."""
    within = _IMPLICIT if element.vr == b"UN" else syntax  # PS3.5 6.2.2, note on UN
    position, depth = element.start, 1
    while depth:
        inner = _header(data, position, within)
        position = inner.start
        if inner.tag in (_ITEM_END, _SEQUENCE_END):
            depth -= 1
        elif inner.undefined:
            depth += 1
        else:
            position = _end(data, inner, within)
    return position
