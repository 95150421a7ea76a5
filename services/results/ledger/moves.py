"""The jobs whose queued work is to be published again by the lane that they have now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from services.results.ledger.record import insert_new
from services.results.ledger.tables import jobs, moves
from shared.bus.received import Received
from shared.events.models import Common, Lane


@dataclass(frozen=True)
class Asked:
    """That was asked of a job, the last time by this number."""

    job_id: str
    seq: int


def ask(connection: Connection, job_ids: Iterable[str]) -> bool:
    """Have the jobs' queued work published again; whether there are any."""
    rows = [{"job_id": job_id} for job_id in sorted(job_ids)]
    insert_new(connection, moves, *rows)
    return bool(rows)


def ask_for_strays(connection: Connection, batch: Iterable[Received]) -> bool:
    """The same for jobs of which something came by a lane that they have no more.

    It was published by who had not heard of the change, and would wait in the old queue.
    """
    came: dict[str, set[Lane]] = {}
    for received in batch:
        if isinstance(received.event.data, Common) and received.place.lane:
            came.setdefault(received.event.data.job_id, set()).add(received.place.lane)
    chosen = _chosen(connection, came)
    return ask(connection, {job_id for job_id, lane in chosen.items() if came[job_id] - {lane}})


def asked(connection: Connection, limit: int) -> list[Asked]:
    """Some jobs of which that was asked, in that order."""
    last = func.max(moves.c.seq).label("seq")
    query = select(moves.c.job_id, last).group_by(moves.c.job_id).order_by(last).limit(limit)
    return [Asked(row.job_id, row.seq) for row in connection.execute(query)]


def done(connection: Connection, move: Asked) -> None:
    """Forget it; what was asked since stands."""
    same = (moves.c.job_id == move.job_id, moves.c.seq <= move.seq)
    connection.execute(delete(moves).where(*same))


def _chosen(connection: Connection, job_ids: Iterable[str]) -> Mapping[str, Lane]:
    query = select(jobs.c.job_id, jobs.c.chosen_lane).where(
        jobs.c.job_id.in_(sorted(job_ids)), jobs.c.chosen_lane.is_not(None)
    )
    return {row.job_id: Lane(row.chosen_lane) for row in connection.execute(query)}
