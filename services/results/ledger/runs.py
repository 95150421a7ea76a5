"""Reads what the ledger knows of a run, and writes how it ended."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    BindParameter,
    Connection,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    update,
)

from services.results.ledger.deliveries import NOT_TAKEN
from services.results.ledger.tables import deliveries, jobs, runs, stages, supersessions
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
NEWEST = (
    ~select(_LATER.c.run)
    .where(_LATER.c.job_id == runs.c.job_id, _LATER.c.run > runs.c.run)
    .exists()
)
"""Of the runs of a job."""
_UNDELIVERED = (
    select(deliveries.c.run)
    .where(
        deliveries.c.job_id == runs.c.job_id,
        or_(deliveries.c.status == "waiting", and_(NOT_TAKEN, runs.c.discarded_at.is_(None))),
    )
    .exists()
)
_BY_AGE = (jobs.c.received_at, jobs.c.job_id)


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
    connection: Connection,
    status: str | None,
    limit: int,
    pipeline: str | None = None,
    case_ids: Collection[str] | None = None,
    *,
    undelivered: bool = False,
) -> list[StoredRun]:
    """The newest run of each job, newest jobs first.

    `undelivered`: only where a delivery waits, or was not taken and nobody left it at that.
    """
    query = (
        JOINED.where(NEWEST)
        .order_by(jobs.c.received_at.desc(), jobs.c.version.desc(), jobs.c.job_id)
        .limit(limit)
    )
    if status:
        query = query.where(runs.c.status == status)
    if pipeline:
        query = query.where(jobs.c.pipeline == pipeline)
    if case_ids is not None:
        query = query.where(jobs.c.case_id.in_(case_ids))
    if undelivered:
        query = query.where(_UNDELIVERED)
    return [run_of(dict(row._mapping)) for row in connection.execute(query)]


def pipelines(connection: Connection) -> list[str]:
    """Every pipeline that any job went through, whether it is still there or not."""
    return sorted(connection.execute(select(jobs.c.pipeline).distinct()).scalars())


def in_order(
    connection: Connection, query: Select[str], after: str | None, limit: int | None
) -> list[str]:
    """The jobs that a query finds, oldest first; those after a job."""
    if after is not None:
        place = connection.execute(select(*_BY_AGE).where(jobs.c.job_id == after)).one_or_none()
        if place is not None:
            query = query.where(tuple_(*_BY_AGE) > tuple_(*place))
    return list(connection.execute(query.order_by(*_BY_AGE).limit(limit)).scalars())


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
    return {row.stage: stage_of(dict(row._mapping)) for row in connection.execute(query)}


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


def run_of(row: dict[str, Any]) -> StoredRun:
    """Of a row of `JOINED`."""
    row["lane"] = Lane(row["lane"])
    row["chosen_lane"] = Lane(row["chosen_lane"]) if row["chosen_lane"] else None
    row["definition"] = PayloadRef.model_validate(row["definition"]) if row["definition"] else None
    row["reasons"] = _reasons(row["reasons"])
    return StoredRun(**row)


def _reasons(stored: Sequence[Mapping[str, Any]]) -> tuple[ReasonModel, ...]:
    return tuple(ReasonModel.model_validate(reason) for reason in stored)


def stage_of(row: dict[str, Any]) -> StoredStage:
    """Of a row of `stages`."""
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
