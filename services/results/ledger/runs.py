"""Reads what the ledger knows of a run, and writes how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, select, update

from services.results.ledger.tables import jobs, runs, stages, supersessions
from services.results.progress import JobStatus, Progress, StageFact, Stop
from shared.events.models import Lane, PayloadRef, ReasonModel

_JOINED = select(jobs, *(column for column in runs.c if column.name != "job_id")).join(
    runs, runs.c.job_id == jobs.c.job_id
)


@dataclass(frozen=True)
class StoredRun:
    """One run of a job, with what is the same for all runs."""

    job_id: str
    case_id: str
    version: int
    supersedes: str | None
    pipeline: str
    received_at: datetime
    run: int
    fresh: bool
    lane: Lane
    partition: int | None
    definition: PayloadRef | None
    request: Mapping[str, Any] | None
    started_at: datetime | None
    traceparent: str
    status: JobStatus
    stop: Stop | None
    reasons: tuple[ReasonModel, ...]
    outputs: Mapping[str, str]
    finished_at: datetime | None
    finish_traceparent: str | None
    discarded_at: datetime | None


@dataclass(frozen=True)
class StoredStage:
    """How a stage of a run ended."""

    stage: str
    service: str
    fact: StageFact
    attempts: int
    started_at: datetime
    finished_at: datetime
    warnings: tuple[str, ...]
    payloads: Mapping[str, PayloadRef]
    dicom: Mapping[str, str] | None
    failure: Mapping[str, Any] | None


def load(
    connection: Connection, job_id: str, run: int | None = None, *, lock: bool = False
) -> StoredRun | None:
    """A run, or the job's newest; locked, nobody else decides about it in this transaction."""
    query = _JOINED.where(jobs.c.job_id == job_id).order_by(runs.c.run.desc()).limit(1)
    query = query if run is None else query.where(runs.c.run == run)
    row = connection.execute(query.with_for_update() if lock else query).first()
    return _run_of(dict(row._mapping)) if row else None


def load_many(
    connection: Connection, status: str | None, limit: int, pipeline: str | None = None
) -> list[StoredRun]:
    """The newest run of each job, newest jobs first."""
    later = runs.alias("later")
    query = (
        _JOINED.where(
            ~select(later.c.run)
            .where(later.c.job_id == runs.c.job_id, later.c.run > runs.c.run)
            .exists()
        )
        .order_by(jobs.c.received_at.desc(), jobs.c.version.desc(), jobs.c.job_id)
        .limit(limit)
    )
    if status:
        query = query.where(runs.c.status == status)
    if pipeline:
        query = query.where(jobs.c.pipeline == pipeline)
    return [_run_of(dict(row._mapping)) for row in connection.execute(query)]


def load_stages(connection: Connection, job_id: str, run: int) -> dict[str, StoredStage]:
    """What is known of a run's stages, shadows included."""
    query = (
        select(stages)
        .where(stages.c.job_id == job_id, stages.c.run == run)
        .order_by(stages.c.finished_at, stages.c.stage)
    )
    return {row.stage: _stage_of(dict(row._mapping)) for row in connection.execute(query)}


def load_failures(connection: Connection, limit: int) -> list[tuple[str, int, StoredStage]]:
    """The failed stages of each job's newest run that nobody has discarded, newest first."""
    later = runs.alias("later")
    query = (
        select(stages)
        .join(runs, and_(runs.c.job_id == stages.c.job_id, runs.c.run == stages.c.run))
        .where(
            stages.c.status == "failed",
            runs.c.discarded_at.is_(None),
            ~select(later.c.run)
            .where(later.c.job_id == stages.c.job_id, later.c.run > stages.c.run)
            .exists(),
        )
        .order_by(stages.c.finished_at.desc(), stages.c.stage)
        .limit(limit)
    )
    rows = connection.execute(query).all()
    return [(row.job_id, row.run, _stage_of(dict(row._mapping))) for row in rows]


def superseded_by(connection: Connection, job_id: str) -> str | None:
    """The job of the case's next version."""
    query = select(supersessions.c.superseded_by).where(supersessions.c.job_id == job_id)
    return connection.execute(query).scalar()


def stopped_to(connection: Connection, job_id: str) -> int | None:
    """The job's last run that was ended from outside."""
    query = select(func.max(runs.c.run)).where(runs.c.job_id == job_id, runs.c.stop.is_not(None))
    return connection.execute(query).scalar()


def running(connection: Connection) -> list[StoredRun]:
    """Every run that has not finished."""
    query = _JOINED.where(runs.c.status == "running")
    return [_run_of(dict(row._mapping)) for row in connection.execute(query)]


def close(
    connection: Connection,
    run: StoredRun,
    progress: Progress,
    stop: Stop | None,
    finished_at: datetime,
    traceparent: str,
) -> None:
    """Write how the run ended; from then on its status stands."""
    connection.execute(
        update(runs)
        .where(runs.c.job_id == run.job_id, runs.c.run == run.run)
        .values(
            status=progress.status,
            stop=stop,
            reasons=[reason.model_dump() for reason in progress.reasons],
            outputs=dict(progress.outputs),
            finished_at=finished_at,
            finish_traceparent=traceparent,
        )
    )


def discard(connection: Connection, run: StoredRun, now: datetime) -> None:
    """Count the run's failures as seen."""
    connection.execute(
        update(runs)
        .where(runs.c.job_id == run.job_id, runs.c.run == run.run)
        .values(discarded_at=now)
    )


def _run_of(row: dict[str, Any]) -> StoredRun:
    row["lane"] = Lane(row["lane"])
    row["definition"] = PayloadRef.model_validate(row["definition"]) if row["definition"] else None
    row["reasons"] = tuple(ReasonModel.model_validate(reason) for reason in row["reasons"])
    return StoredRun(**row)


def _stage_of(row: dict[str, Any]) -> StoredStage:
    reasons = tuple(ReasonModel.model_validate(reason) for reason in row["reasons"])
    return StoredStage(
        stage=row["stage"],
        service=row["service"],
        fact=StageFact(row["status"], reasons),
        attempts=row["attempts"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        warnings=tuple(row["warnings"]),
        payloads={name: PayloadRef.model_validate(r) for name, r in row["payloads"].items()},
        dicom=row["dicom"],
        failure=row["failure"],
    )
