"""What is kept of an event: enough for every figure, and nothing that identifies a patient.

A fact is kept under the mark of its event's id, and follows from the event alone. So keeping it
once more changes nothing, whoever does it and when: a redelivered event, one that was published
twice, one that is read again after a crash or by another replica.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from shared.events.models import (
    Common,
    DicomDelivered,
    InputReady,
    JobFinished,
    StageFailed,
)
from shared.events.wire import Event

STAGE, JOB, DELIVERY, INPUT = "stage", "job", "delivery", "input"
_NOT_STAGES = ("pipeline",)


@dataclass(frozen=True)
class Fact:
    """One event, in seconds since 1970."""

    mark: str
    partition: int
    of: str
    """What ended: a stage, a job, a delivery, or (`input`) ingest's part."""
    result: str
    pipeline: str
    lane: str
    stage: str
    unit: str
    """The run of the job, by a digest."""
    run: int
    received: float
    started: float
    finished: float
    codes: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    """The stages whose payloads the event brings along: those that had to end before."""
    sender: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it stands in the table; absent is what is empty."""
        return {name: value for name, value in asdict(self).items() if value not in ("", ())}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Fact":
        lists = {name: tuple(kept.get(name, ())) for name in ("codes", "after")}
        return cls(**{**kept, **lists})


def mark_of(event_id: str) -> str:
    """64 bits that stand for an event's id, as 16 hexadecimal digits."""
    return _digest(event_id)


def unit_of(job: str, run: int | str) -> str:
    """What stands for a run of a job."""
    return _digest(f"{job} {run}")


def fact_of(event: Event, partition: int) -> Fact | None:
    """The fact of an event; None for kinds that no figure counts."""
    data = event.data
    if not isinstance(data, Common):
        return None
    of, result = _what(data)
    return Fact(
        mark=mark_of(event.id),
        partition=partition,
        of=of,
        result=result,
        pipeline=data.pipeline,
        lane=data.lane.value,
        stage=data.stage,
        unit=unit_of(data.job_id, data.run),
        run=data.run,
        received=_seconds(data.received_at),
        started=_seconds(data.started_at),
        finished=_seconds(data.finished_at),
        codes=tuple(sorted(set(_codes(data)))),
        after=tuple(sorted(set(_ancestors(data)))) if of == STAGE else (),
        sender=(data.sender or "") if isinstance(data, InputReady) and data.run == 1 else "",
    )


def _what(data: Common) -> tuple[str, str]:
    if isinstance(data, InputReady):
        return INPUT, "begun"
    if isinstance(data, JobFinished):
        return JOB, data.status
    if isinstance(data, DicomDelivered):
        return DELIVERY, f"delivery_{data.status}"
    if isinstance(data, StageFailed):
        return STAGE, data.verdict
    return STAGE, "succeeded" if data.reused_from is None else "reused"


def _codes(data: Common) -> Iterator[str]:
    if isinstance(data, StageFailed | JobFinished):
        yield from (reason.code for reason in data.reasons)


def _ancestors(data: Common) -> Iterator[str]:
    for name in data.payloads:
        stage = name.partition(".")[0]
        if stage != data.stage and stage not in _NOT_STAGES:
            yield stage


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _seconds(moment: datetime) -> float:
    return round(moment.timestamp(), 6)
