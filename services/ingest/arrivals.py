"""An arrival as its journal record, and back. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingest.cases import Arrival, Case, Place
from services.ingest.records import Record
from shared.dicom.headers import Headers, index
from shared.events.models import Lane


@dataclass(frozen=True)
class Facts:
    """What the journal says of an instance beside its Part 10 file."""

    sequence: int
    case: Case
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    digest: str
    content: str
    admitted: bool
    arrived_at: datetime
    association: str
    called_ae: str
    calling_ae: str
    lane: Lane
    prefix: int
    """Length of what precedes the data set in the Part 10 file."""


def to_meta(facts: Facts) -> dict[str, Any]:
    """The record's meta data."""
    case = facts.case
    return {
        **{name: value for name, value in vars(facts).items() if name != "case"},
        "case": [case.pipeline, case.study_instance_uid, case.group],
        "arrived_at": facts.arrived_at.isoformat(),
    }


def from_meta(meta: dict[str, Any]) -> Facts:
    """What `to_meta` wrote. Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
    return Facts(
        **{
            **meta,
            "case": Case(*meta["case"]),
            "arrived_at": datetime.fromisoformat(meta["arrived_at"]),
            "lane": Lane(meta["lane"]),
            # A version before this one kept none, of an association that had just been lost.
            "association": meta["association"] or "",
        }
    )


def arrival(facts: Facts, headers: Headers, segment: str, offset: int, length: int) -> Arrival:
    """An arrival whose Part 10 file lies at `offset` of `segment`."""
    pixels = headers.pixels
    start = offset + facts.prefix
    place = Place(segment, offset, length, (start + pixels[0], pixels[1]) if pixels else None)
    named = {name: value for name, value in vars(facts).items() if name != "prefix"}
    return Arrival(**named, place=place, headers=headers)


def from_record(record: Record, segment: str, file: bytes) -> Arrival:
    """The arrival behind a record; `file` is its Part 10 file, indexed again."""
    facts = from_meta(record.meta)
    headers = index(file[facts.prefix :], facts.transfer_syntax_uid)
    return arrival(facts, headers, segment, record.offset, record.length)
