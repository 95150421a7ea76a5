"""Asks the ledger which runs go on, and whether anything moves."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from services.results.ledger.runs import JOINED, StoredRun, run_of
from services.results.ledger.tables import jobs, runs, stages

_LAST_END = (
    select(func.max(stages.c.finished_at))
    .where(stages.c.job_id == runs.c.job_id, stages.c.run == runs.c.run)
    .scalar_subquery()
)
_RUNNING = JOINED.add_columns(_LAST_END.label("last")).where(runs.c.status == "running")
_AT_ONCE = 500


def running(connection: Connection) -> list[tuple[StoredRun, datetime]]:
    """Every run that has not finished, and when its last stage ended or it began."""
    rows = connection.execute(_RUNNING).all()
    return [
        (run_of({name: value for name, value in row._mapping.items() if name != "last"}), last)
        for row in rows
        if (last := row.last or row.started_at or row.received_at)
    ]


def last_news(connection: Connection, job_ids: Sequence[str]) -> dict[tuple[str, int], datetime]:
    """When the last stage of each of these jobs' open runs ended, or the run began."""
    query = _RUNNING.where(runs.c.job_id.in_(job_ids)).with_only_columns(
        runs.c.job_id,
        runs.c.run,
        func.coalesce(_LAST_END, runs.c.started_at, jobs.c.received_at).label("last"),
    )
    return {(row.job_id, row.run): row.last for row in connection.execute(query)}


def requested(connection: Connection, job_ids: Sequence[str]) -> frozenset[str]:
    """Those of the jobs whose input-ready was read."""
    found: set[str] = set()
    for start in range(0, len(job_ids), _AT_ONCE):
        some = job_ids[start : start + _AT_ONCE]
        query = select(runs.c.job_id).where(
            runs.c.job_id.in_(some), runs.c.run == 1, runs.c.started_at.is_not(None)
        )
        found |= set(connection.execute(query).scalars())
    return frozenset(found)


def ended_since(connection: Connection, since: datetime) -> frozenset[str]:
    """The names of the stages that have ended work, of any job, since then."""
    query = select(stages.c.stage).where(stages.c.finished_at >= since).distinct()
    return frozenset(connection.execute(query).scalars())


def has_ended_work(
    connection: Connection, stage: str, service: str, since: datetime, until: datetime
) -> bool:
    """Whether a service has ended work of a stage of this name, of any job, between the two."""
    query = select(stages.c.stage).where(
        stages.c.stage == stage,
        stages.c.service == service,
        stages.c.finished_at.between(since, until),
    )
    return connection.execute(query.limit(1)).first() is not None


def claim_restart(connection: Connection, run: StoredRun, now: datetime) -> bool:
    """Note that the run's events are published again; False when another replica does that."""
    same = (runs.c.job_id == run.job_id, runs.c.run == run.run, runs.c.status == "running")
    claimed = connection.execute(
        update(runs)
        .where(*same, runs.c.restarts == run.restarts)
        .values(restarts=runs.c.restarts + 1, restarted_at=now)
    )
    return claimed.rowcount > 0
