"""The transactional outbox: events are written with the facts that caused them, then published."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update

from services.results.ledger.record import insert_new
from services.results.ledger.tables import outbox
from shared.events.models import KINDS, Lane
from shared.events.wire import Event

SOURCE = "results"
_KEPT = timedelta(days=7)


@dataclass(frozen=True)
class Letter:
    """An event that waits to be published, and where to."""

    seq: int
    event: Event
    lane: Lane | None
    partition: int | None
    key: str | None


def put(
    connection: Connection,
    event: Event,
    *,
    lane: Lane | None,
    partition: int | None,
    key: str | None = None,
) -> None:
    """Have an event published after this transaction; the same id again changes nothing."""
    letter = {
        "event_id": event.id,
        "kind": event.kind,
        "subject": event.subject,
        "time": event.time,
        "traceparent": event.traceparent,
        "lane": lane.value if lane else None,
        "partition": partition,
        "key": key,
        "data": event.data.model_dump(mode="json", exclude_none=True),
    }
    insert_new(connection, outbox, letter)


def unsent(connection: Connection, limit: int = 100) -> list[Letter]:
    """The oldest events that are not known to be on the bus."""
    rows = select(outbox).where(outbox.c.sent_at.is_(None)).order_by(outbox.c.seq).limit(limit)
    return [_letter_of(dict(row._mapping)) for row in connection.execute(rows)]


def mark_sent(connection: Connection, sequence: Sequence[int], now: datetime) -> None:
    """Note what was acknowledged, and forget what was long ago."""
    connection.execute(update(outbox).where(outbox.c.seq.in_(sequence)).values(sent_at=now))
    connection.execute(delete(outbox).where(outbox.c.sent_at < now - _KEPT))


def _letter_of(row: dict[str, Any]) -> Letter:
    event = Event(
        id=row["event_id"],
        source=SOURCE,
        kind=row["kind"],
        subject=row["subject"],
        time=row["time"],
        traceparent=row["traceparent"],
        data=KINDS[row["kind"]].model_validate(row["data"]),
    )
    lane = Lane(row["lane"]) if row["lane"] else None
    return Letter(row["seq"], event, lane, row["partition"], row["key"])
