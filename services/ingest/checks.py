"""What a received instance is told at once: the C-STORE statuses, and our own output. Pure."""

import re
from dataclasses import dataclass
from enum import IntEnum

from shared.dicom.headers import Headers

_UID = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
_OUR_MODALITIES = frozenset({"SEG", "DOC", "SR", "KO"})
_MANUFACTURER = "Clarion"


class Status(IntEnum):
    """What we answer to C-STORE and N-EVENT-REPORT (PS3.4 B.2.3, PS3.7 C)."""

    SUCCESS = 0x0000
    NO_SUCH_EVENT_TYPE = 0x0113
    INVALID_UID = 0x0117
    NOT_SUPPORTED = 0x0122
    RESOURCE_LIMITATION = 0x0213
    OUT_OF_RESOURCES = 0xA700
    MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


@dataclass(frozen=True)
class Answer:
    """What the sender of an instance is told."""

    status: Status
    comment: str = ""
    """Why it is refused: no values, and 64 characters at most (Error Comment, PS3.7 C)."""


KEPT = Answer(Status.SUCCESS)
NOT_NOW = Answer(Status.OUT_OF_RESOURCES, "It can't be kept now: try again later")
STORES_NOTHING = Answer(Status.NOT_SUPPORTED, "This AE title stores nothing")
UNREADABLE = Answer(Status.CANNOT_UNDERSTAND, "The instance can't be read")


@dataclass(frozen=True)
class Received:
    """One C-STORE request: the data set's bytes as they came, and who sent them."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset: bytes
    association: str
    called_ae: str
    calling_ae: str
    high_priority: bool = False


def valid_uid(uid: str) -> bool:
    """Digits and dots, 64 at most (PS3.5 9.1). Leading zeros are let pass: they are many, and
    a sender can do nothing about them but block its queue."""
    return len(uid) <= 64 and _UID.fullmatch(uid) is not None


def refusal(received: Received, headers: Headers) -> Answer | None:
    """Why the instance can't even be filed; None when it can.

    A data set that is broken behind its identifiers is filed: the reader refuses it with a
    reason, while a failure status would block the sender's queue.
    """
    if not valid_uid(received.sop_instance_uid):
        return Answer(Status.INVALID_UID, "AffectedSOPInstanceUID is no valid UID")
    asked = {
        "SOPClassUID": received.sop_class_uid,
        "SOPInstanceUID": received.sop_instance_uid,
    }
    lacking = [keyword for keyword in (*asked, "StudyInstanceUID") if not headers.text(keyword)]
    if lacking:
        return Answer(Status.CANNOT_UNDERSTAND, f"The data set lacks {', '.join(lacking)}")
    other = [keyword for keyword, uid in asked.items() if headers.text(keyword) != uid]
    if other:
        differ = "differ" if len(other) > 1 else "differs"
        return Answer(Status.MISMATCH, f"{' and '.join(other)} {differ} from the command's")
    return None


def looks_like_ours(headers: Headers) -> bool:
    """Whether a data set names Clarion as its maker, and is of a kind that Clarion makes."""
    return (
        headers.text("Manufacturer") == _MANUFACTURER
        and bool(headers.text("SoftwareVersions"))
        and headers.text("Modality") in _OUR_MODALITIES
    )
