"""Finds what gave up in each job's newest run, until a person has seen it.

Of several jobs, those that a newer version of the study replaced are left out: they can't be run
again, and wait for nobody.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from services.results.ledger.runs import (
    JOINED,
    NEWEST,
    StoredRun,
    StoredStage,
    in_order,
    run_of,
    stage_of,
)
from services.results.ledger.tables import jobs, runs, stages, supersessions

_SOME = {"yield_per": 500}
"""Rows in memory at a time."""
_FAILED_STAGE = and_(
    stages.c.job_id == runs.c.job_id, stages.c.run == runs.c.run, stages.c.status == "failed"
)
_A_STAGE_FAILED = select(stages.c.run).where(_FAILED_STAGE).exists()
_NOBODY_SAW = and_(runs.c.discarded_at.is_(None), NEWEST)
_NOT_REPLACED = (
    ~select(supersessions.c.job_id).where(supersessions.c.job_id == runs.c.job_id).exists()
)


def waiting(connection: Connection, after: str | None, limit: int) -> list[str]:
    """The jobs with anything that gave up, oldest first; those after a job."""
    gave_up = or_(_A_STAGE_FAILED, runs.c.stop == "deadline", runs.c.status == "failed")
    query = select(jobs.c.job_id).join(runs, runs.c.job_id == jobs.c.job_id)
    return in_order(connection, query.where(gave_up, _wait(None)), after, limit)


def load_stages(
    connection: Connection,
    job_ids: Collection[str] | None = None,
    service: str | None = None,
    stage: str | None = None,
) -> Iterator[tuple[str, int, StoredStage]]:
    """The stages that failed, of these jobs or of all, newest first."""
    query = select(stages).join(runs, _FAILED_STAGE).where(_wait(job_ids))
    if service:
        query = query.where(stages.c.service == service)
    if stage:
        query = query.where(stages.c.stage == stage)
    query = query.order_by(stages.c.finished_at.desc(), stages.c.stage)
    for row in connection.execute(query, execution_options=_SOME):
        yield row.job_id, row.run, stage_of(dict(row._mapping))


def load_late(
    connection: Connection, job_ids: Collection[str] | None = None
) -> Iterator[StoredRun]:
    """The runs that a deadline ended, of these jobs or of all, newest first."""
    return _runs(connection, job_ids, runs.c.stop == "deadline")


def load_stageless(
    connection: Connection, job_ids: Collection[str] | None = None
) -> Iterator[StoredRun]:
    """The runs that failed though no stage did, newest first: their definition is gone."""
    undefined = and_(runs.c.status == "failed", runs.c.stop.is_(None), ~_A_STAGE_FAILED)
    return _runs(connection, job_ids, undefined)


def discard(connection: Connection, run: StoredRun, now: datetime) -> None:
    """Count the run's failures as seen."""
    connection.execute(
        update(runs)
        .where(runs.c.job_id == run.job_id, runs.c.run == run.run)
        .values(discarded_at=now)
    )


def _runs(
    connection: Connection, job_ids: Collection[str] | None, which: Any
) -> Iterator[StoredRun]:
    query = JOINED.where(which, _wait(job_ids)).order_by(runs.c.finished_at.desc())
    for row in connection.execute(query, execution_options=_SOME):
        yield run_of(dict(row._mapping))


def _wait(job_ids: Collection[str] | None) -> Any:
    """Of jobs that are named, also those that were replaced."""
    return and_(_NOBODY_SAW, _NOT_REPLACED if job_ids is None else runs.c.job_id.in_(job_ids))
