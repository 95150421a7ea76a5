"""Asks the ledger which runs go on, and whether anything moves."""

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    Text,
    and_,
    cast,
    func,
    or_,
    select,
    update,
)

from services.results.ledger.runs import JOINED, StoredRun
from services.results.ledger.tables import jobs, runs, stages
from services.results.progress import StageFact
from shared.events.models import Lane

_ENDED = stages.alias("ended")
_LAST_END = (
    select(func.max(_ENDED.c.finished_at))
    .where(_ENDED.c.job_id == runs.c.job_id, _ENDED.c.run == runs.c.run)
    .scalar_subquery()
)
_BEGAN = func.coalesce(runs.c.started_at, jobs.c.received_at)
_LAST = func.coalesce(_LAST_END, _BEGAN)
_DEFINITION = cast(runs.c.definition, Text)
_OPEN = JOINED.where(runs.c.status == "running")
_SOURCE = stages.alias("source")
_AT_ONCE = 500
_RECENT = 20


@dataclass(frozen=True)
class Known:
    """How the stages of a run ended, and when."""

    facts: dict[str, StageFact] = field(default_factory=dict)
    ends: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Open:
    """A run that has not finished: its place in the queues, and what is known of its stages."""

    job_id: str
    run: int
    definition: str
    """The reference as it is stored: the same text, the same definition."""
    lane: Lane
    chosen_lane: str | None
    partition: int | None
    began: datetime
    """When its input was ready, or the job was received."""
    last: datetime
    """When its last stage ended, or it began."""
    restarts: int
    restarted_at: datetime | None
    known: Known


@dataclass(frozen=True)
class End:
    """Work of a stage that has ended: when its inputs were there, and when it ended."""

    came: datetime
    at: datetime


def definitions(connection: Connection) -> dict[str, str]:
    """The references to definitions of all open runs, as they are stored, each with a job of it."""
    query = _OPEN.with_only_columns(_DEFINITION, func.min(runs.c.job_id)).group_by(_DEFINITION)
    return {row[0]: row[1] for row in connection.execute(query)}


def begun(connection: Connection, definition: str, by: datetime) -> list[Open]:
    """The open runs of a definition whose input was ready by then."""
    stored = _DEFINITION
    return _open(connection, runs.c.started_at <= by, stored == definition)


def quiet(connection: Connection, since: datetime, now: datetime) -> list[Open]:
    """The open runs whose input is known and that had no news since then, nor were restarted.

    What lies ahead of a clock that was set back is no news.
    """
    last, restarted = _LAST, runs.c.restarted_at
    return _open(
        connection,
        runs.c.started_at.is_not(None),
        or_(last <= since, last > now),
        or_(restarted.is_(None), restarted <= since, restarted > now),
    )


def _open(connection: Connection, *which: ColumnElement[bool]) -> list[Open]:
    """Never all that is open, which may be a hundred thousand runs: few are late or quiet."""
    columns = _OPEN.where(*which).with_only_columns(
        runs.c.job_id,
        runs.c.run,
        _DEFINITION.label("definition"),
        JOINED.selected_columns.lane,
        jobs.c.chosen_lane,
        runs.c.partition,
        _BEGAN.label("began"),
        _LAST.label("last"),
        runs.c.restarts,
        runs.c.restarted_at,
    )
    rows = connection.execute(columns).all()
    known, nothing = _known(connection, *which), Known()
    return [
        Open(
            **{**row._mapping, "lane": Lane(row.lane)},
            known=known.get((row.job_id, row.run), nothing),
        )
        for row in rows
    ]


def _known(connection: Connection, *which: ColumnElement[bool]) -> dict[tuple[str, int], Known]:
    columns = (stages.c.job_id, stages.c.run, stages.c.stage, stages.c.status, stages.c.finished_at)
    of_run = and_(stages.c.job_id == runs.c.job_id, stages.c.run == runs.c.run)
    query = _OPEN.where(*which).join(stages, of_run).with_only_columns(*columns)
    found: defaultdict[tuple[str, int], Known] = defaultdict(Known)
    for row in connection.execute(query):
        of = found[row.job_id, row.run]
        of.facts[row.stage] = StageFact(row.status)
        of.ends[row.stage] = row.finished_at
    return found


def last_news(connection: Connection, job_ids: Sequence[str]) -> dict[tuple[str, int], datetime]:
    """When the last stage of each of these jobs' open runs ended, or the run began."""
    query = _OPEN.where(runs.c.job_id.in_(job_ids)).with_only_columns(
        runs.c.job_id, runs.c.run, _LAST.label("last")
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


def ends(
    connection: Connection, stage: str, service: str, sources: Set[str], since: datetime
) -> dict[tuple[int, str], list[End]]:
    """What a service has ended of a stage of this name since then, by partition and lane.

    What an earlier run had made waits for no worker, and a job that a person sent to another lane
    has two places in a queue: neither counts.
    """
    query = (
        select(
            runs.c.partition,
            runs.c.lane,
            func.coalesce(_last_end(sources), runs.c.started_at).label("came"),
            stages.c.finished_at.label("at"),
        )
        .join(runs, and_(runs.c.job_id == stages.c.job_id, runs.c.run == stages.c.run))
        .join(jobs, jobs.c.job_id == stages.c.job_id)
        .where(
            stages.c.stage == stage,
            stages.c.service == service,
            stages.c.status != "reused",
            stages.c.finished_at > since,
            jobs.c.chosen_lane.is_(None),
        )
        .order_by(stages.c.finished_at)
    )
    found: defaultdict[tuple[int, str], list[End]] = defaultdict(list)
    for row in connection.execute(query):
        if row.came is not None and row.partition is not None:
            found[row.partition, row.lane].append(End(row.came, row.at))
    return found


def longest_work(connection: Connection, stage: str, service: str) -> timedelta:
    """The longest that a service took of late for a stage of this name, its attempts together."""
    done = (stages.c.stage == stage, stages.c.service == service, stages.c.status != "reused")
    query = select(stages.c.started_at, stages.c.finished_at).where(*done)
    rows = connection.execute(query.order_by(stages.c.finished_at.desc()).limit(_RECENT))
    return max((row.finished_at - row.started_at for row in rows), default=timedelta())


def _last_end(sources: Set[str]) -> ScalarSelect[datetime]:
    """When the last of the stages ended from which a stage takes its inputs."""
    return (
        select(func.max(_SOURCE.c.finished_at))
        .where(
            _SOURCE.c.job_id == stages.c.job_id,
            _SOURCE.c.run == stages.c.run,
            _SOURCE.c.stage.in_(sorted(sources)),
        )
        .scalar_subquery()
    )


def claim_restart(connection: Connection, run: StoredRun, now: datetime) -> bool:
    """Note that the run's events are published again; False when another replica does that."""
    same = (runs.c.job_id == run.job_id, runs.c.run == run.run, runs.c.status == "running")
    claimed = connection.execute(
        update(runs)
        .where(*same, runs.c.restarts == run.restarts)
        .values(restarts=runs.c.restarts + 1, restarted_at=now)
    )
    return claimed.rowcount > 0
