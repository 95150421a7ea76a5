"""The Part 10 file of an instance: file meta information before the data set as received."""

from struct import pack

from shared.dicom.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_PREAMBLE = b"\0" * 128 + b"DICM"


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
