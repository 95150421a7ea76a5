"""Reads what the ledger knows of a run, and writes how it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BindParameter, Connection, and_, bindparam, func, select, update

from services.results.ledger.tables import jobs, runs, stages, supersessions
from services.results.progress import JobStatus, Progress, StageFact, Stop
from shared.events.models import Lane, PayloadRef, ReasonModel

_NEWER = (
    select(supersessions.c.superseded_by)
    .where(supersessions.c.job_id == jobs.c.job_id)
    .scalar_subquery()
)
JOINED = select(
    *jobs.c,
    *(column for column in runs.c if column.name not in ("job_id", "lane")),
    func.coalesce(jobs.c.chosen_lane, runs.c.lane).label("lane"),
    _NEWER.label("newer"),
).join(runs, runs.c.job_id == jobs.c.job_id)
_WHOLE: BindParameter[str] = bindparam("job_id")
_ONE = JOINED.where(jobs.c.job_id == _WHOLE, runs.c.run == bindparam("run"))
_LAST = JOINED.where(jobs.c.job_id == _WHOLE).order_by(runs.c.run.desc()).limit(1)
_FACTS = select(stages.c.stage, stages.c.status, stages.c.reasons).where(
    stages.c.job_id == _WHOLE, stages.c.run == bindparam("run")
)

_LATER = runs.alias("later")
_NEWEST = (
    ~select(_LATER.c.run)
    .where(_LATER.c.job_id == runs.c.job_id, _LATER.c.run > runs.c.run)
    .exists()
)
_NOBODY_SAW = (runs.c.discarded_at.is_(None), _NEWEST)


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
    restarts: int
    restarted_at: datetime | None
    chosen_lane: Lane | None
    lane_changes: int
    removal: Literal["begun", "done"] | None
    """Of the job's payloads."""
    newer: str | None
    """The job of the case's next version."""


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
    query = _LAST if run is None else _ONE
    asked = {"job_id": job_id} | ({} if run is None else {"run": run})
    row = connection.execute(query.with_for_update(of=runs) if lock else query, asked).first()
    return run_of(dict(row._mapping)) if row else None


def load_many(
    connection: Connection, status: str | None, limit: int, pipeline: str | None = None
) -> list[StoredRun]:
    """The newest run of each job, newest jobs first."""
    query = (
        JOINED.where(_NEWEST)
        .order_by(jobs.c.received_at.desc(), jobs.c.version.desc(), jobs.c.job_id)
        .limit(limit)
    )
    if status:
        query = query.where(runs.c.status == status)
    if pipeline:
        query = query.where(jobs.c.pipeline == pipeline)
    return [run_of(dict(row._mapping)) for row in connection.execute(query)]


def load_facts(connection: Connection, job_id: str, run: int) -> dict[str, StageFact]:
    """How the run's stages ended, and nothing else of them: enough to see whether it goes on."""
    rows = connection.execute(_FACTS, {"job_id": job_id, "run": run})
    return {row.stage: StageFact(row.status, _reasons(row.reasons)) for row in rows}


def load_stages(connection: Connection, job_id: str, run: int) -> dict[str, StoredStage]:
    """What is known of a run's stages, shadows included."""
    query = (
        select(stages)
        .where(stages.c.job_id == job_id, stages.c.run == run)
        .order_by(stages.c.finished_at, stages.c.stage)
    )
    return {row.stage: _stage_of(dict(row._mapping)) for row in connection.execute(query)}


def load_failures(
    connection: Connection,
    limit: int,
    job_id: str | None = None,
    service: str | None = None,
    stage: str | None = None,
) -> list[tuple[str, int, StoredStage]]:
    """The failed stages of each job's newest run that nobody has discarded, newest first."""
    query = (
        select(stages)
        .join(runs, and_(runs.c.job_id == stages.c.job_id, runs.c.run == stages.c.run))
        .where(stages.c.status == "failed", *_NOBODY_SAW)
        .order_by(stages.c.finished_at.desc(), stages.c.stage)
        .limit(limit)
    )
    if job_id:
        query = query.where(stages.c.job_id == job_id)
    if service:
        query = query.where(stages.c.service == service)
    if stage:
        query = query.where(stages.c.stage == stage)
    rows = connection.execute(query).all()
    return [(row.job_id, row.run, _stage_of(dict(row._mapping))) for row in rows]


def load_late(connection: Connection, limit: int, job_id: str | None = None) -> list[StoredRun]:
    """The newest runs that a deadline ended and nobody has discarded, newest first."""
    query = (
        JOINED.where(runs.c.stop == "deadline", *_NOBODY_SAW)
        .order_by(runs.c.finished_at.desc())
        .limit(limit)
    )
    query = query.where(runs.c.job_id == job_id) if job_id else query
    return [run_of(dict(row._mapping)) for row in connection.execute(query)]


def load_stageless(
    connection: Connection, limit: int, job_id: str | None = None
) -> list[StoredRun]:
    """The newest runs that failed though no stage did, that nobody has discarded, newest first.

    Their definition is gone.
    """
    a_stage = and_(stages.c.job_id == runs.c.job_id, stages.c.run == runs.c.run)
    failed = select(stages.c.run).where(a_stage, stages.c.status == "failed").exists()
    which = (runs.c.status == "failed", runs.c.stop.is_(None), ~failed, *_NOBODY_SAW)
    query = JOINED.where(*which).order_by(runs.c.finished_at.desc()).limit(limit)
    query = query.where(runs.c.job_id == job_id) if job_id else query
    return [run_of(dict(row._mapping)) for row in connection.execute(query)]


def stopped_to(connection: Connection, job_id: str) -> int | None:
    """The job's last run that was ended from outside."""
    query = select(func.max(runs.c.run)).where(runs.c.job_id == job_id, runs.c.stop.is_not(None))
    return connection.execute(query).scalar()


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


def choose_lane(connection: Connection, job_id: str, lane: Lane) -> None:
    """Have the job go by this lane, in whatever run."""
    connection.execute(
        update(jobs)
        .where(jobs.c.job_id == job_id)
        .values(chosen_lane=lane.value, lane_changes=jobs.c.lane_changes + 1)
    )


def discard(connection: Connection, run: StoredRun, now: datetime) -> None:
    """Count the run's failures as seen."""
    connection.execute(
        update(runs)
        .where(runs.c.job_id == run.job_id, runs.c.run == run.run)
        .values(discarded_at=now)
    )


def run_of(row: dict[str, Any]) -> StoredRun:
    """Of a row of `JOINED`."""
    row["lane"] = Lane(row["lane"])
    row["chosen_lane"] = Lane(row["chosen_lane"]) if row["chosen_lane"] else None
    row["definition"] = PayloadRef.model_validate(row["definition"]) if row["definition"] else None
    row["reasons"] = _reasons(row["reasons"])
    return StoredRun(**row)


def _reasons(stored: Sequence[Mapping[str, Any]]) -> tuple[ReasonModel, ...]:
    return tuple(ReasonModel.model_validate(reason) for reason in stored)


def _stage_of(row: dict[str, Any]) -> StoredStage:
    return StoredStage(
        stage=row["stage"],
        service=row["service"],
        fact=StageFact(row["status"], _reasons(row["reasons"])),
        attempts=row["attempts"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        warnings=tuple(row["warnings"]),
        payloads={name: PayloadRef.model_construct(**r) for name, r in row["payloads"].items()},
        dicom=row["dicom"],
        failure=row["failure"],
    )
