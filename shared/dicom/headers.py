"""The header index of one instance, made once at reception from the bytes as they came."""

from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite
from struct import Struct, iter_unpack
from typing import Any

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from shared.dicom.elements import Element, Malformed, plain, walk
from shared.manifest import INDEXED

_KEYWORDS = {int(tag_for_keyword(keyword) or 0): keyword for keyword in INDEXED}
_VR = {tag: dictionary_VR(tag).encode() for tag in _KEYWORDS}
_CHARSET, _PIXEL_REPRESENTATION, _PIXEL_DATA = 0x00080005, 0x00280103, 0x7FE00010
_NUMBERS = {b"US": "H", b"SS": "h", b"UL": "L", b"SL": "l", b"FL": "f", b"FD": "d"}
_DECODED = frozenset({b"LO", b"SH", b"PN", b"LT", b"ST", b"UT", b"UC"})
_DELIMITERS = set(b"\r\n\t\f\\^=")
_NATIVE = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian})
_LONGEST = 1 << 14


@dataclass(frozen=True)
class Headers:
    """`values` by keyword, as in `shared.manifest.Instance.header`; `pixels` is the offset and
    length of a native PixelData value in the data set; `defect` says why reading stopped."""

    values: dict[str, Any] = field(default_factory=dict)
    pixels: tuple[int, int] | None = None
    defect: str | None = None

    def text(self, keyword: str) -> str:
        """A single textual value; empty where it is absent."""
        value = self.values.get(keyword)
        value = value[0] if isinstance(value, list) and value else value
        return "" if value is None else str(value)


def index(data: bytes, transfer_syntax: str) -> Headers:
    """Index a data set as received. Never raises: what can't be read is a `defect`."""
    found: dict[int, tuple[Element, bytes]] = {}
    pixels: tuple[int, int] | None = None
    defect: str | None = None
    try:
        readable = plain(data, transfer_syntax)
        for element in walk(readable, transfer_syntax):
            if element.tag in _KEYWORDS and not element.undefined:
                end = element.start + min(element.length, _LONGEST)
                found[element.tag] = element, readable[element.start : end]
            elif element.tag == _PIXEL_DATA and not element.undefined:
                pixels = element.start, element.length
    except Malformed as problem:
        defect = str(problem)
    big = transfer_syntax == ExplicitVRBigEndian
    return Headers(_values(found, big), pixels if transfer_syntax in _NATIVE else None, defect)


def _values(found: dict[int, tuple[Element, bytes]], big: bool) -> dict[str, Any]:
    encodings = _encodings(found[_CHARSET][1]) if _CHARSET in found else _encodings(b"")
    signed = found.get(_PIXEL_REPRESENTATION, (None, b""))[1].strip(b"\0") == b"\1"
    values: dict[str, Any] = {}
    for tag, (element, raw) in found.items():
        vr = element.vr if element.vr not in (None, b"UN") else _VR[tag]
        if vr == b"US or SS":
            vr = b"SS" if signed else b"US"
        values[_KEYWORDS[tag]] = _value(vr or b"UN", raw, encodings, big)
    return values


def _value(vr: bytes, raw: bytes, encodings: tuple[str, ...], big: bool) -> Any:
    code = _NUMBERS.get(vr)
    if code:
        packed = Struct((">" if big else "<") + code)
        whole = raw[: len(raw) // packed.size * packed.size]
        return _one([_number(item) for (item,) in iter_unpack(packed.format, whole)])
    text = _text(raw, encodings) if vr in _DECODED else raw.decode("latin-1")
    parts = [part.strip(" \0") for part in text.split("\\")]
    if vr in (b"DS", b"IS"):
        return _one([_parsed(part, vr) for part in parts])
    return _one(parts)


def _one(values: list[Any]) -> Any:
    if len(values) > 1:
        return values
    return values[0] if values and values[0] != "" else None


def _parsed(text: str, vr: bytes) -> float | int | str | None:
    """A number where the text is one; else the text, for whoever judges the instance."""
    if not text:
        return None
    try:
        value = float(text)
        return int(value) if vr == b"IS" and value.is_integer() else _number(value)
    except (ValueError, OverflowError):
        return text


def _number(value: float | int) -> float | int | str:
    return value if isfinite(value) else str(value)  # JSON has no NaN


def _text(raw: bytes, encodings: tuple[str, ...]) -> str:
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    try:
        return decode_bytes(raw, list(encodings), _DELIMITERS)
    except Exception:  # whatever a hostile character set provokes in a codec
        return raw.decode("latin-1")


@lru_cache(maxsize=64)
def _encodings(charset: bytes) -> tuple[str, ...]:
    names = [name.strip(" \0") for name in charset.decode("latin-1").split("\\")]
    try:
        return tuple(convert_encodings(names))
    except Exception:  # unknown names: pydicom raises several types
        return ("latin-1",)
