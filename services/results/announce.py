"""The events that results publishes, with ids that follow from what they say."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.results.ledger.outbox import SOURCE
from services.results.ledger.runs import StoredRun
from services.results.progress import Progress
from shared.events.models import (
    DicomDelivered,
    InputReady,
    JobControl,
    JobFinished,
    Model,
    PayloadRef,
)
from shared.events.wire import Event
from shared.identity import event_id


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
        job_id=run.job_id,
        case_id=run.case_id,
        version=run.version,
        supersedes=run.supersedes,
        run=run.run,
        fresh=run.fresh,
        pipeline=run.pipeline,
        lane=run.lane,
        received_at=run.received_at,
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


def job_control(control: JobControl, now: datetime, traceparent: str) -> Event:
    """What holds for the job's queued work."""
    name = event_id(
        control.job_id,
        control.cancelled_to_run or 0,
        SOURCE,
        "job-control",
        control.superseded_by,
        control.lane,
    )
    return _event(name, "job-control", control.job_id, now, traceparent, control)


def dicom_delivered(
    run: StoredRun,
    stage: str,
    delivery: Mapping[str, str],
    attempt: int,
    dicom_status: str | None,
    started_at: datetime,
    now: datetime,
    traceparent: str,
) -> Event:
    """One attempt to deliver one output has ended; `delivery` has the fields that name it."""
    data = DicomDelivered(
        job_id=run.job_id,
        case_id=run.case_id,
        version=run.version,
        supersedes=run.supersedes,
        run=run.run,
        fresh=run.fresh,
        pipeline=run.pipeline,
        lane=run.lane,
        received_at=run.received_at,
        stage=stage,
        started_at=started_at,
        finished_at=now,
        attempts=attempt,
        dicom_status=dicom_status,
        at=now,
        **delivery,
    )
    name = event_id(
        run.job_id,
        run.run,
        stage,
        "dicom-delivered",
        data.sop_instance_uid,
        data.destination,
        attempt,
    )
    return _event(name, "dicom-delivered", run.job_id, now, traceparent, data)


def input_ready(request: InputReady, traceparent: str) -> Event:
    """A later run of a job: its input is as ready as it was."""
    name = event_id(request.job_id, request.run, request.stage, "input-ready")
    return _event(name, "input-ready", request.job_id, request.finished_at, traceparent, request)


def _event(
    name: str, kind: str, subject: str, time: datetime, traceparent: str, data: Model
) -> Event:
    return Event(name, SOURCE, kind, subject, time, traceparent, data)
