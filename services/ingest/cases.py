"""What a case is, what a version of it is, and when a new one is due. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared import identity
from shared.dicom.headers import Headers
from shared.events.models import Lane
from shared.pipelines.definition import InputRules

BY_STUDY = "study"
_URGENCY = {lane: place for place, lane in enumerate(Lane)}


@dataclass(frozen=True)
class Case:
    """One group of one study, as one pipeline sees it."""

    pipeline: str
    study_instance_uid: str
    group: str

    @property
    def id(self) -> str:
        return identity.case_id(self.pipeline, self.study_instance_uid, self.group)


@dataclass(frozen=True)
class Place:
    """Where an instance's Part 10 file lies, and in it the native pixels."""

    segment: str
    offset: int
    length: int
    pixels: tuple[int, int] | None = None
    """Offset in the segment and length."""


@dataclass(frozen=True)
class Arrival:
    """One instance as it was received and kept. `sequence` orders all arrivals.

    `digest` is that of the data set's bytes; `content` that of the first data set received
    under this SOPInstanceUID which says the same in another transfer syntax.
    """

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
    place: Place
    headers: Headers


@dataclass(frozen=True)
class Version:
    """A version that was decided: `inputs` maps each SOPInstanceUID to its content."""

    case_id: str
    number: int
    job_id: str
    supersedes: str | None
    inputs: Mapping[str, str]


def admits(rules: InputRules, headers: Headers) -> bool:
    """Whether the pipeline's input rules let an instance make a version.

    A rule names an attribute in snake case (`modality`) and the values that it may have.
    """
    return all(
        bool(set(_values(headers, _keyword(rule))) & set(allowed))
        for rule, allowed in rules.admit.items()
    )


def _keyword(rule: str) -> str:
    return "".join(word.capitalize() for word in rule.split("_"))


def _values(headers: Headers, keyword: str) -> list[str]:
    value: Any = headers.values.get(keyword)
    return [str(item) for item in (value if isinstance(value, list) else [value])]


def newest(arrivals: Iterable[Arrival]) -> dict[str, Arrival]:
    """The data set received last, for each SOPInstanceUID."""
    ordered = sorted(arrivals, key=lambda arrival: arrival.sequence)
    return {arrival.sop_instance_uid: arrival for arrival in ordered}


def input_set(current: Mapping[str, Arrival]) -> dict[str, str]:
    """The admitted instances and their content, in the order of their UIDs."""
    return {uid: current[uid].content for uid in sorted(current) if current[uid].admitted}


def next_version(case_id: str, inputs: Mapping[str, str], last: Version | None) -> Version | None:
    """The version that an input set makes after `last`; None when it makes no new one."""
    if not inputs or (last and dict(last.inputs) == dict(inputs)):
        return None
    number = last.number + 1 if last else 1
    job = identity.job_id(case_id, number, identity.digest(dict(inputs)))
    return Version(case_id, number, job, last.job_id if last else None, dict(inputs))


def changed(
    inputs: Mapping[str, str], current: Mapping[str, Arrival], last: Version | None
) -> list[Arrival]:
    """The arrivals that made the new version, first to last."""
    before = last.inputs if last else {}
    made = {uid for uid, content in inputs.items() if before.get(uid) != content}
    gone = set(before) - set(inputs)
    return sorted((current[uid] for uid in made | gone), key=lambda arrival: arrival.sequence)


def most_urgent(arrivals: Iterable[Arrival]) -> Lane:
    """The lane of a version: the most urgent that any of its senders asked for."""
    return min((arrival.lane for arrival in arrivals), key=_URGENCY.__getitem__)


def partition(case_id: str, partitions: int) -> int:
    """The partition of all events of a case; the same in every process and language."""
    return UUID(case_id).int % partitions
