"""The Part 10 file of an instance: file meta information before the data set as received."""

from contextlib import suppress
from struct import pack

from pydicom.uid import ExplicitVRLittleEndian

from services.ingest.elements import Malformed, walk
from shared.version import CODE_VERSION

IMPLEMENTATION_CLASS_UID = "2.25.126811593226389186041937246284117216913"
IMPLEMENTATION_VERSION_NAME = f"CLARION_{CODE_VERSION.replace('.', '_')}"
_PREAMBLE = b"\0" * 128 + b"DICM"
_NAMES = {
    0x00020002: "sop_class_uid",
    0x00020003: "sop_instance_uid",
    0x00020010: "transfer_syntax_uid",
}


def file_meta(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, calling_ae: str
) -> bytes:
    """Preamble, prefix and group 0002 (PS3.10 7.1); the data set's bytes follow it.

    Packed here and not by pydicom: it takes a hundredth of the time, for every slice.
    """
    version = pack("<HH2sHL2s", 2, 0x0001, b"OB", 0, 2, b"\0\1")
    texts = (
        (0x0002, b"UI", sop_class_uid),
        (0x0003, b"UI", sop_instance_uid),
        (0x0010, b"UI", transfer_syntax_uid),
        (0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
        (0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
        (0x0016, b"AE", calling_ae),
    )
    group = version + b"".join(_element(*text) for text in texts)
    return _PREAMBLE + pack("<HH2sHL", 2, 0, b"UL", 4, len(group)) + group


def _element(number: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return pack("<HH2sH", 2, number, vr, len(value)) + value


def split(file: bytes) -> tuple[dict[str, str], bytes]:
    """What the file meta information names, and the data set behind it. Raises `Malformed`."""
    if file[128:132] != b"DICM":
        raise Malformed("no-part-10")
    named: dict[str, str] = {}
    meta, end = file[132:], 0
    with suppress(Malformed):  # the data set behind it has a syntax of its own
        for element in walk(meta, ExplicitVRLittleEndian):
            if element.tag >> 16 != 2:
                break
            end = element.start + element.length
            if element.tag in _NAMES:
                text = meta[element.start : end].decode("ascii", "replace")
                named[_NAMES[element.tag]] = text.strip(" \0")
    return named, meta[end:]
