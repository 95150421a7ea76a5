"""Takes a Part 10 file apart (PS3.10 7.1): what its meta information names, and the data set."""

from contextlib import suppress

from pydicom.uid import ExplicitVRLittleEndian

from shared.dicom.elements import Malformed, walk

_NAMES = {
    0x00020002: "sop_class_uid",
    0x00020003: "sop_instance_uid",
    0x00020010: "transfer_syntax_uid",
}


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
