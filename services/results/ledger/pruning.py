"""Which jobs nobody needs the payloads of any more, and which of those their stages alone made."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, update

from services.results.ledger import runs as stored
from services.results.ledger.deliveries import NOT_TAKEN
from services.results.ledger.tables import deliveries, jobs, outbox, runs, stages
from shared.bus.units import DEFINITION
from shared.pipelines.definition import INGEST

_SOME = {"yield_per": 500}
"""Rows in memory at a time."""
_UNCONFIRMED = and_(
    or_(deliveries.c.commitment_uid.is_not(None), deliveries.c.commitment_due.is_not(None)),
    deliveries.c.committed.is_not(True),
)
_DISAPPOINTING = ("failed", "partial")


def old(
    connection: Connection, before: datetime, after: str | None, limit: int | None
) -> list[str]:
    """The jobs received before then whose payloads are there, oldest first; those after a job."""
    query = select(jobs.c.job_id).where(jobs.c.removal.is_(None), jobs.c.received_at < before)
    return stored.in_order(connection, query, after, limit)


def needed_for(
    connection: Connection, job_id: str, before: datetime, *, lock: bool = False
) -> str | None:
    """What a job's payloads are still needed for; or None.

    What failed or was refused waits for nobody once a newer version has replaced the job. Locked,
    nobody else decides about the job until the transaction ends.
    """
    last = stored.load(connection, job_id, lock=lock)
    ends = select(func.count(), func.count(runs.c.finished_at), func.max(runs.c.finished_at))
    begun, ended, end = connection.execute(ends.where(runs.c.job_id == job_id)).one()
    if last is None or begun != ended or end >= before:
        return "running-or-recent"
    seen = last.discarded_at is not None
    left = seen or last.newer is not None
    if last.status in _DISAPPOINTING and not left:
        return "failure-not-discarded"
    if _exists(connection, outbox.c.seq, outbox.c.subject == job_id, outbox.c.sent_at.is_(None)):
        return "not-announced"
    waits = deliveries.c.status == "waiting"
    open_ = waits if left else or_(waits, NOT_TAKEN)
    if _exists(connection, deliveries.c.run, deliveries.c.job_id == job_id, open_):
        return "not-delivered"
    silent = (deliveries.c.status == "delivered", _UNCONFIRMED)
    if not seen and _exists(connection, deliveries.c.run, deliveries.c.job_id == job_id, *silent):
        return "not-confirmed"
    return None


def disappoints(connection: Connection, job_id: str) -> bool:
    """Whether a job waits for somebody to look: nobody has, and it failed, or its destination
    refused something of it or has not confirmed it.
    """
    last = stored.load(connection, job_id)
    if last and last.status in _DISAPPOINTING and not last.discarded_at:
        return True
    why = or_(
        deliveries.c.status.in_(("held", "failed")),
        _UNCONFIRMED,
    )
    return _exists(connection, deliveries.c.run, deliveries.c.job_id == job_id, why)


def _exists(connection: Connection, column: Any, *which: Any) -> bool:
    return connection.execute(select(column).where(*which).limit(1)).first() is not None


def begin(connection: Connection, job_id: str) -> None:
    """From now on no run of the job can be asked for, until the removal is over."""
    connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(removal="begun"))


def end(connection: Connection, job_id: str) -> None:
    """Nothing is left to remove; what another replica has ended stays as it is since."""
    being = and_(jobs.c.job_id == job_id, jobs.c.removal == "begun")
    connection.execute(update(jobs).where(being).values(removal="done"))


def reopen(connection: Connection, job_id: str) -> bool:
    """Have a job that runs again be pruned again one day; False while it is being pruned.

    Written and not read: who waited here for the pruning to begin would read what was before.
    """
    other = or_(jobs.c.removal.is_(None), jobs.c.removal != "begun")
    changed = update(jobs).where(jobs.c.job_id == job_id, other).values(removal=None)
    return bool(connection.execute(changed).rowcount)


def begun(connection: Connection) -> dict[str, int]:
    """The jobs whose payloads are being removed, and the last run of each."""
    query = (
        select(jobs.c.job_id, func.max(runs.c.run).label("last"))
        .join(runs, runs.c.job_id == jobs.c.job_id)
        .where(jobs.c.removal == "begun")
        .group_by(jobs.c.job_id)
        .order_by(jobs.c.job_id)
    )
    return {row.job_id: row.last for row in connection.execute(query)}


def payloads(connection: Connection, job_ids: Collection[str]) -> dict[str, int]:
    """Where the payloads lie that stages of these jobs made, and their sizes."""
    found: dict[str, int] = {}
    for job_id in job_ids:
        found |= {uri: size for uri, size, _ in _made(connection, jobs.c.job_id == job_id)}
    return found


def others_keep(
    connection: Connection, wanted: Collection[str], but: Collection[str]
) -> frozenset[str]:
    """Those of the wanted that stay: what ingest wrote, and what other jobs than `but` refer to."""
    if not wanted:
        return frozenset()
    gone = frozenset(but)
    kept = {uri for uri in _came_in(connection) if uri in wanted}
    for uri, _, job_id in _made(connection, jobs.c.removal.is_(None)):
        if uri in wanted and job_id not in gone:
            kept.add(uri)
    return frozenset(kept)


def _came_in(connection: Connection) -> Iterator[str]:
    """The URI of each input of any job: one that was pruned may run again."""
    for row in connection.execute(select(runs.c.request), execution_options=_SOME):
        yield from (ref["uri"] for ref in (row.request or {}).get("payloads", {}).values())


def _made(connection: Connection, which: Any) -> Iterator[tuple[str, int, str]]:
    """URI, size and job of each payload that a stage made: events name their inputs as well."""
    made = select(stages.c.payloads, stages.c.failure, stages.c.job_id).join(
        jobs, jobs.c.job_id == stages.c.job_id
    )
    for stage in connection.execute(made.where(which), execution_options=_SOME):
        yield from _of(stage.job_id, stage.payloads)
        details = (stage.failure or {}).get("details")
        yield from _of(stage.job_id, {"details": details} if details else {})


def _of(job_id: str, refs: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, int, str]]:
    for name, ref in refs.items():
        if name != DEFINITION and name.partition(".")[0] != INGEST:
            yield ref["uri"], ref["size"], job_id
