"""The smallest JPEG 2000 image of any size: every wavelet coefficient zero, so nothing is coded."""

from __future__ import annotations

from struct import pack

LEVELS = 5


def blank(rows: int, columns: int) -> bytes:
    """A codestream (ISO/IEC 15444-1 Annex A) of 16-bit signed zeros: about 100 bytes.

    One tile, one layer and precincts of the largest size give one packet for each resolution; an
    empty packet is one zero bit, filled up to a byte (B.10.3).
    """
    size = pack(">HIIIIIIIIH", 0, columns, rows, 0, 0, columns, rows, 0, 0, 1)
    component = pack(">BBB", 0x80 | 15, 1, 1)
    style = pack(">BBHBBBBBB", 0, 0, 1, 0, LEVELS, 4, 4, 0, 1)
    steps = bytes((exponent << 3) for exponent in _exponents())
    packets = bytes(LEVELS + 1)
    tile = pack(">HHIBB", 10, 0, 12 + 2 + len(packets), 0, 1)
    return b"".join(
        [
            b"\xff\x4f",
            _segment(0x51, size + component),
            _segment(0x52, style),
            _segment(0x5C, bytes([0x40]) + steps),
            b"\xff\x90" + tile,
            b"\xff\x93" + packets,
            b"\xff\xd9",
        ]
    )


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + pack(">H", len(body) + 2) + body


def _exponents() -> list[int]:
    """Exponents of the reversible 5-3 filter's subbands for 16 bits: LL, then HL, LH, HH (E.1)."""
    return [16] + [17, 17, 18] * LEVELS
