"""Which jobs nobody needs the payloads of any more, and which payloads they alone refer to."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, update

from services.results.ledger import runs as stored
from services.results.ledger.deliveries import REPLACED, SUPERSEDED
from services.results.ledger.tables import deliveries, jobs, outbox, runs, stages
from shared.bus.units import DEFINITION

_WITHDRAWN = (SUPERSEDED, REPLACED)
_SOME = {"yield_per": 500}
"""Rows in memory at a time."""
_DISAPPOINTING = ("failed", "partial")


def old(connection: Connection, before: datetime) -> list[str]:
    """The jobs received before then whose payloads are there, oldest first."""
    query = (
        select(jobs.c.job_id)
        .where(jobs.c.removal.is_(None), jobs.c.received_at < before)
        .order_by(jobs.c.received_at, jobs.c.job_id)
    )
    return list(connection.execute(query).scalars())


def needed_for(
    connection: Connection, job_id: str, before: datetime, committing: Collection[str]
) -> str | None:
    """What a job's payloads are still needed for, locked until the transaction ends; or None.

    `committing` are the destinations that are to confirm what they have received.
    """
    last = stored.load(connection, job_id, lock=True)
    ends = select(func.count(), func.count(runs.c.finished_at), func.max(runs.c.finished_at))
    begun, ended, end = connection.execute(ends.where(runs.c.job_id == job_id)).one()
    if last is None or begun != ended or end >= before:
        return "running-or-recent"
    if last.status in _DISAPPOINTING and not last.discarded_at and not last.newer:
        return "failure-not-discarded"
    if _exists(connection, outbox.c.seq, outbox.c.subject == job_id, outbox.c.sent_at.is_(None)):
        return "not-announced"
    lost = and_(
        deliveries.c.status == "failed",
        func.coalesce(deliveries.c.last_error, "").not_in(_WITHDRAWN),
    )
    open_ = or_(deliveries.c.status.in_(("waiting", "held")), lost)
    if _exists(connection, deliveries.c.run, deliveries.c.job_id == job_id, open_):
        return "not-delivered"
    asked = or_(deliveries.c.commitment_uid.is_not(None), deliveries.c.destination.in_(committing))
    silent = (deliveries.c.status == "delivered", deliveries.c.committed.is_not(True), asked)
    if _exists(connection, deliveries.c.run, deliveries.c.job_id == job_id, *silent):
        return "not-confirmed"
    return None


def _exists(connection: Connection, column: Any, *which: Any) -> bool:
    return connection.execute(select(column).where(*which).limit(1)).first() is not None


def mark(connection: Connection, job_id: str, removal: str) -> None:
    """From `begun` on no run of the job can be asked for; `done`, nothing is left to remove."""
    connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(removal=removal))


def begun(connection: Connection) -> list[str]:
    """The jobs whose payloads are being removed."""
    query = select(jobs.c.job_id).where(jobs.c.removal == "begun").order_by(jobs.c.job_id)
    return list(connection.execute(query).scalars())


def payloads(connection: Connection, job_ids: Collection[str]) -> dict[str, int]:
    """Where the payloads of these jobs lie, and their sizes.

    Never a pipeline's definition: it is small, and a job is shown by it for ever.
    """
    found: dict[str, int] = {}
    for job_id in job_ids:
        found |= {uri: size for uri, size, _ in _references(connection, jobs.c.job_id == job_id)}
    return found


def others_keep(
    connection: Connection, wanted: Collection[str], but: Collection[str]
) -> frozenset[str]:
    """Those of the wanted that a job refers to whose payloads stay: none is, of those in `but`."""
    if not wanted:
        return frozenset()
    gone, kept = frozenset(but), set()
    for uri, _, job_id in _references(connection, jobs.c.removal.is_(None)):
        if uri in wanted and job_id not in gone:
            kept.add(uri)
    return frozenset(kept)


def _references(connection: Connection, which: Any) -> Iterator[tuple[str, int, str]]:
    """URI, size and job of each payload that the ledger tells of."""
    requests = select(runs.c.request, runs.c.job_id).join(jobs, jobs.c.job_id == runs.c.job_id)
    for row in connection.execute(requests.where(which), execution_options=_SOME):
        yield from _of(row.job_id, (row.request or {}).get("payloads", {}))
    made = select(stages.c.payloads, stages.c.failure, stages.c.job_id).join(
        jobs, jobs.c.job_id == stages.c.job_id
    )
    for stage in connection.execute(made.where(which), execution_options=_SOME):
        yield from _of(stage.job_id, stage.payloads)
        details = (stage.failure or {}).get("details")
        yield from _of(stage.job_id, {"details": details} if details else {})


def _of(job_id: str, refs: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, int, str]]:
    for name, ref in refs.items():
        if name != DEFINITION:
            yield ref["uri"], ref["size"], job_id
