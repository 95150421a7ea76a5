"""The events that results publishes, with ids that follow from what they say."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from services.results.ledger.deliveries import Delivery
from services.results.ledger.outbox import SOURCE
from services.results.ledger.runs import StoredRun
from services.results.progress import Progress
from shared.events.models import (
    Alert,
    DicomDelivered,
    InputReady,
    JobControl,
    JobFinished,
    Model,
    PayloadRef,
)
from shared.events.wire import Event
from shared.identity import event_id

STANDING_JOB = "standing-job"
_RUN = (
    *("job_id", "case_id", "version", "supersedes", "run", "fresh"),
    *("pipeline", "lane", "received_at"),
)


def job_finished(
    run: StoredRun,
    progress: Progress,
    payloads: Mapping[str, PayloadRef],
    warnings: Sequence[str],
    finished_at: datetime,
    traceparent: str,
) -> Event:
    """The run's end: what was made, what was not, and why."""
    data = JobFinished(
        **_of_run(run),
        stage=SOURCE,
        started_at=run.started_at or run.received_at,
        finished_at=finished_at,
        warnings=tuple(warnings),
        payloads=dict(payloads),
        status=progress.status,
        reasons=progress.reasons,
        outputs=dict(progress.outputs),
    )
    name = event_id(run.job_id, run.run, SOURCE, "job-finished")
    return _event(name, "job-finished", run.job_id, finished_at, traceparent, data)


def job_control(control: JobControl, lane_changes: int, now: datetime, traceparent: str) -> Event:
    """What holds for the job's queued work; back to an earlier lane is another event again."""
    name = event_id(
        control.job_id,
        control.cancelled_to_run or 0,
        SOURCE,
        "job-control",
        control.superseded_by,
        control.lane,
        *((lane_changes,) if lane_changes else ()),
    )
    return _event(name, "job-control", control.job_id, now, traceparent, control)


def dicom_delivered(
    run: StoredRun,
    delivery: Delivery,
    attempt: int,
    status: Literal["delivered", "held", "failed"],
    dicom_status: str | None,
    began_at: datetime,
    now: datetime,
    traceparent: str,
) -> Event:
    """An attempt to deliver has ended."""
    data = DicomDelivered(
        **_of_run(run),
        stage=delivery.stage,
        started_at=began_at,
        finished_at=now,
        attempts=attempt,
        output=delivery.output,
        sop_instance_uid=delivery.sop_instance_uid,
        destination=delivery.destination,
        status=status,
        dicom_status=dicom_status,
        at=now,
    )
    extra = (delivery.sop_instance_uid, delivery.destination, attempt)
    name = event_id(run.job_id, run.run, delivery.stage, "dicom-delivered", *extra)
    return _event(name, "dicom-delivered", run.job_id, now, traceparent, data)


def standing_job(run: StoredRun, stage: str, service: str, since: datetime, now: datetime) -> Event:
    """A run has stood still in a stage since then; found again, it is the same event."""
    data = Alert(
        code=STANDING_JOB,
        window="live",
        key={"job": run.job_id, "run": str(run.run), "stage": stage, "service": service},
        figures={
            "stands_s": round((now - since).total_seconds(), 1),
            "restarts": float(run.restarts),
        },
        at=now,
    )
    name = event_id(run.job_id, run.run, stage, "alert", STANDING_JOB, since.isoformat())
    return _event(name, "alert", run.job_id, now, run.traceparent, data)


def input_ready(request: InputReady, traceparent: str) -> Event:
    """A later run of a job: its input is as ready as it was."""
    name = event_id(request.job_id, request.run, request.stage, "input-ready")
    return _event(name, "input-ready", request.job_id, request.finished_at, traceparent, request)


def _of_run(run: StoredRun) -> Mapping[str, Any]:
    """What every event about a run says of it."""
    return {name: getattr(run, name) for name in _RUN}


def _event(
    name: str, kind: str, subject: str, time: datetime, traceparent: str, data: Model
) -> Event:
    return Event(name, SOURCE, kind, subject, time, traceparent, data)
