"""Outcomes: the durable answer of one unit of work, created once, the truth of what was done."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal

from pydantic import AwareDatetime, ValidationError

from shared.events.models import KINDS, Model, PayloadRef, ReasonModel
from shared.events.wire import Event
from shared.store.port import PayloadStore
from shared.telemetry.logs import logger, place_of_error


class OutcomeEvent(Model):
    """An event that the unit of work publishes."""

    id: str
    kind: str
    time: AwareDatetime
    data: dict[str, Any]


class Outcome(Model):
    """What came of one unit of work (job, run, stage), well or badly."""

    job_id: str
    run: int
    stage: str
    service: str
    status: Literal["succeeded", "refused", "failed"]
    reasons: tuple[ReasonModel, ...] = ()
    exception_type: str | None = None
    place: str | None = None
    details: PayloadRef | None = None
    attempts: int
    started_at: AwareDatetime
    finished_at: AwareDatetime
    traceparent: str
    code_version: str
    inputs: dict[str, str] = {}
    """sha256 of what each input port, and the provenance behind it, held."""
    parameters: dict[str, Any] = {}
    reused_from: int | None = None
    events: tuple[OutcomeEvent, ...]

    @property
    def payloads(self) -> dict[str, PayloadRef]:
        """Every payload that its events announce."""
        found: dict[str, PayloadRef] = {}
        for event in self.events:
            refs = event.data.get("payloads", {})
            found |= {name: PayloadRef.model_validate(ref) for name, ref in refs.items()}
        return found

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings of this stage and of those before it."""
        return tuple(w for event in self.events for w in event.data.get("warnings", ()))


def folder(job_id: str) -> str:
    """Where the outcomes of a job lie."""
    return f"outcomes/{job_id}/"


def key(job_id: str, run: int, stage: str) -> str:
    """Where the outcome of a unit of work lies."""
    return f"{folder(job_id)}{run}/{stage}.json"


def read(store: PayloadStore, job_id: str, run: int, stage: str) -> Outcome | None:
    """The outcome, if the unit of work has ended. Raises `ValidationError` for one that is none."""
    data = store.read(key(job_id, run, stage))
    return Outcome.model_validate_json(data) if data is not None else None


class NotUnderstood(Exception):
    """A stage's outcome is there and says nothing: it was cut off, or is of another make.

    Its text may quote values: to the payload store only.
    """

    def __init__(self, stage: str, cause: Exception) -> None:
        super().__init__(f"outcome of {stage}: {cause!r}")
        self.stage, self.exception_type = stage, type(cause).__name__


def understood(store: PayloadStore, job_id: str, run: int, stage: str) -> Outcome | None:
    """The outcome, if the unit of work has ended, with events that this code knows.

    Raises `NotUnderstood`.
    """
    try:
        outcome = read(store, job_id, run, stage)
        for _ in events_of(outcome) if outcome else ():
            pass
    except (ValidationError, KeyError) as error:
        logger().error("outcome not understood", run=run, stage=stage, **place_of_error(error))
        raise NotUnderstood(stage, error) from error
    return outcome


def events_of(outcome: Outcome) -> Iterator[Event]:
    """What it publishes, the same whoever does: by the name of its service, with its ids and times.

    Raises `KeyError` for a kind, and `ValidationError` for data, that this code does not know.
    """
    for made in outcome.events:
        yield Event(
            id=made.id,
            source=outcome.service,
            kind=made.kind,
            subject=outcome.job_id,
            time=made.time,
            traceparent=outcome.traceparent,
            data=KINDS[made.kind].model_validate(made.data),
        )


def keep(store: PayloadStore, outcome: Outcome) -> Outcome:
    """Write the outcome unless there is one; give the one that holds. Raises `NotUnderstood`."""
    where = key(outcome.job_id, outcome.run, outcome.stage)
    if store.create(where, outcome.model_dump_json(exclude_none=True).encode()):
        return outcome
    held = understood(store, outcome.job_id, outcome.run, outcome.stage)
    return held or keep(store, outcome)


def newest_success(store: PayloadStore, job_id: str, before: int, stage: str) -> Outcome | None:
    """The newest outcome of an earlier run that succeeded; one not understood is passed over."""
    for run in range(before - 1, 0, -1):
        with suppress(NotUnderstood):
            outcome = understood(store, job_id, run, stage)
            if outcome and outcome.status == "succeeded":
                return outcome
    return None
