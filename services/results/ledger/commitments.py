"""The storage commitments that destinations are to be asked for: due, claimed, and asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, select

from services.results.ledger.deliveries import LEASE, Due, write
from services.results.ledger.tables import deliveries

_SILENT = and_(deliveries.c.status == "delivered", deliveries.c.committed.is_(None))
"""Taken, and nothing reported of it."""


@dataclass(frozen=True)
class Unconfirmed:
    """An object that its destination has taken, and of which it has reported nothing."""

    sop_class_uid: str
    sop_instance_uid: str
    asks: int
    """How often it was asked about."""


def due(connection: Connection, now: datetime) -> list[Due]:
    """What each destination is to be asked about now: that which is due for longest.

    One that has just not taken a request is asked nothing until that one is due again: what it has
    against one job it mostly has against all.
    """
    query = select(deliveries.c.destination).where(deliveries.c.commitment_due <= now).distinct()
    names = connection.execute(query.order_by(deliveries.c.destination)).scalars().all()
    found = (_oldest(connection, name, now) for name in names)
    return [due for due in found if due]


def _oldest(connection: Connection, destination: str, now: datetime) -> Due | None:
    query = select(deliveries.c.job_id).where(deliveries.c.destination == destination)
    refused = (deliveries.c.commitment_due > now, deliveries.c.commitment_error.is_not(None))
    if connection.execute(query.where(_SILENT, *refused).limit(1)).first():
        return None
    oldest = query.where(_is_due(now)).order_by(deliveries.c.commitment_due)
    job_id = connection.execute(oldest.limit(1)).scalar()
    return Due(destination, job_id) if job_id else None


def claim(connection: Connection, wanted: Due, now: datetime) -> list[Unconfirmed]:
    """Take what is to be asked about; others leave it alone for `LEASE`."""
    columns = (
        deliveries.c.sop_class_uid,
        deliveries.c.sop_instance_uid,
        deliveries.c.commitment_asks,
    )
    query = select(*columns).where(_of(wanted), _is_due(now)).order_by(*deliveries.primary_key)
    rows = connection.execute(query.with_for_update(skip_locked=True)).all()
    found = [Unconfirmed(*row) for row in rows]
    write(connection, _these(wanted, found), commitment_due=now + LEASE)
    return found


def asking(
    connection: Connection, of: Due, asked: Sequence[Unconfirmed], transaction_uid: str
) -> None:
    """Note under which transaction it is asked: its report may come before the answer."""
    write(connection, _these(of, asked), commitment_uid=transaction_uid)


def asked(
    connection: Connection,
    of: Due,
    about: Sequence[Unconfirmed],
    again: datetime | None,
    error: str | None = None,
) -> None:
    """Note that it was asked, when to ask again, if nothing is reported, and what went wrong.

    What was reported on before this is asked about no more.
    """
    counted = deliveries.c.commitment_asks + 1
    came_to = {"commitment_due": again, "commitment_error": error}
    write(connection, and_(_these(of, about), _SILENT), commitment_asks=counted, **came_to)


def bring_forward(connection: Connection, latest: datetime) -> None:
    """What is due later than anything is put off now was put off by a clock set back since."""
    write(connection, deliveries.c.commitment_due > latest, commitment_due=latest)


def _of(due: Due) -> ColumnElement[bool]:
    return and_(deliveries.c.job_id == due.job_id, deliveries.c.destination == due.destination)


def _these(of: Due, about: Iterable[Unconfirmed]) -> ColumnElement[bool]:
    uids = [each.sop_instance_uid for each in about]
    return and_(_of(of), deliveries.c.sop_instance_uid.in_(uids))


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(_SILENT, deliveries.c.commitment_due <= now)
