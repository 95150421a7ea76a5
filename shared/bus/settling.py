"""Outcomes as they are made: from what a handler produced, from a verdict, from an earlier run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from shared.bus.execution import Defect
from shared.bus.outcomes import Outcome, OutcomeEvent
from shared.bus.received import Received
from shared.bus.units import Gathered, Unit, input_digests
from shared.bus.work import Produced
from shared.catalog import Operation, Topics
from shared.errors import Reason
from shared.events.models import KINDS, Common, PayloadRef, ReasonModel
from shared.identity import event_id
from shared.version import CODE_VERSION

_LARGEST_EVENT = 512 << 10
"""Bytes: half of what the bus takes."""


@dataclass(frozen=True)
class Settled:
    """The circumstances of a unit of work that has ended."""

    received: Received
    unit: Unit
    service: str
    gathered: Gathered
    attempts: int
    started_at: datetime
    finished_at: datetime
    traceparent: str

    @property
    def job_id(self) -> str:
        return _common(self).job_id


def succeeded(settled: Settled, operation: Operation, topics: Topics, made: Produced) -> Outcome:
    """The outcome of a handler that has made what it should.

    Raises `ValueError` when the ports it gave are not those that its service declares, or its
    facts are not what their event says: NaN and infinities are no numbers. And when there is so
    much of them, or of warnings, that the event is too large.
    """
    if set(made.payloads) != set(operation.outputs):
        raise ValueError(f"ports {sorted(made.payloads)} given, {sorted(operation.outputs)} named")
    name = settled.unit.name
    payloads = {**settled.gathered.payloads}
    payloads |= {f"{name}.{port}": ref for port, ref in made.payloads.items()}
    warnings = tuple(dict.fromkeys((*settled.gathered.warnings, *made.warnings)))
    kinds = {topics.kind_of(port_type) for port_type in operation.outputs.values()}
    events = tuple(
        _event(settled, kind, payloads=payloads, warnings=warnings, **made.facts)
        for kind in sorted(kind for kind in kinds if kind)
    )
    return _outcome(settled, status="succeeded", events=events)


def refused(settled: Settled, reasons: Sequence[Reason]) -> Outcome:
    """The outcome of a handler that has rejected its input. Raises `ValueError` as `succeeded`."""
    return _failure(settled, "refused", tuple(reasons))


def failed(settled: Settled, defect: Defect, details: PayloadRef) -> Outcome:
    """The outcome of a unit that has used up its attempts."""
    where = {"exception_type": defect.exception_type, "place": defect.place, "details": details}
    return _failure(settled, "failed", (Reason(defect.code),), **where)


def taken_over(settled: Settled, earlier: Outcome) -> Outcome:
    """An earlier run's success, re-stamped as an outcome of this run."""
    stamp = {
        "run": settled.received.event.data.model_dump()["run"],
        "reused_from": earlier.run,
        "started_at": settled.started_at,
        "finished_at": settled.finished_at,
    }
    events = []
    for event in earlier.events:
        old = KINDS[event.kind].model_validate(event.data)
        new = old.model_copy(update={**stamp, **_lane_and_freshness(settled)})
        id_ = event_id(earlier.job_id, stamp["run"], earlier.stage, event.kind)
        data = new.model_dump(mode="json", exclude_none=True)
        events.append(OutcomeEvent(id=id_, kind=event.kind, time=settled.finished_at, data=data))
    update = {**stamp, "traceparent": settled.traceparent, "events": tuple(events)}
    return earlier.model_copy(update=update)


def _lane_and_freshness(settled: Settled) -> dict[str, Any]:
    cause = _common(settled)
    return {"lane": cause.lane, "fresh": cause.fresh}


def _failure(settled: Settled, verdict: str, reasons: tuple[Reason, ...], **where: Any) -> Outcome:
    models = tuple(ReasonModel(code=r.code, numbers=r.numbers) for r in reasons)
    event = settled.received.event
    waking = event.data.model_dump(mode="json", exclude_none=True)
    cause = {"id": event.id, "type": event.type, "topic": settled.received.place.topic}
    payloads = dict(settled.gathered.payloads)
    said = partial(
        _event, settled, "stage-failed", payloads=payloads, verdict=verdict, reasons=models, **where
    )
    try:
        failure = said(warnings=settled.gathered.warnings, cause={**cause, "data": waking})
    except ValueError:  # warnings of many stages: they stand in their outcomes
        failure = said(cause={**cause, "data": {**waking, "warnings": []}})
    return _outcome(settled, status=verdict, reasons=models, events=(failure,), **where)


def _common(settled: Settled) -> Common:
    data = settled.received.event.data
    assert isinstance(data, Common)  # noqa: S101 - the engine wakes units by no other kind
    return data


def _event(settled: Settled, kind: str, /, **fields: Any) -> OutcomeEvent:
    """Raises `ValueError` for fields that it can't have, or that are more than the bus takes."""
    cause = _common(settled)
    stem = cause.model_dump(
        include={
            "job_id", "case_id", "version", "supersedes", "run", "fresh", "pipeline", "lane",
            "received_at",
        }
    )  # fmt: skip
    data = KINDS[kind].model_validate(
        {
            **stem,
            "stage": settled.unit.name,
            "started_at": settled.started_at,
            "finished_at": settled.finished_at,
            "attempts": settled.attempts,
            **fields,
        }
    )
    size = len(data.model_dump_json(exclude_none=True).encode())
    if size > _LARGEST_EVENT:
        raise ValueError(f"{kind} of {size} bytes: {_LARGEST_EVENT} at most")
    return OutcomeEvent(
        id=event_id(cause.job_id, cause.run, settled.unit.name, kind),
        kind=kind,
        time=settled.finished_at,
        data=data.model_dump(mode="json", exclude_none=True),
    )


def _outcome(settled: Settled, **fields: Any) -> Outcome:
    cause = _common(settled)
    return Outcome(
        job_id=cause.job_id,
        run=cause.run,
        stage=settled.unit.name,
        service=settled.service,
        attempts=settled.attempts,
        started_at=settled.started_at,
        finished_at=settled.finished_at,
        traceparent=settled.traceparent,
        code_version=CODE_VERSION,
        inputs=input_digests(settled.unit, settled.gathered),
        parameters=settled.unit.stage.parameters,
        **fields,
    )
