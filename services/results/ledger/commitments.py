"""The storage commitments that destinations are to be asked for: due, claimed, and asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, select

from services.results.ledger.deliveries import LEASE, Due, write
from services.results.ledger.tables import deliveries


@dataclass(frozen=True)
class Unconfirmed:
    """An object that its destination has taken, and of which it has reported nothing."""

    sop_class_uid: str
    sop_instance_uid: str
    asks: int
    """How often it was asked about."""


def due(connection: Connection, now: datetime) -> list[Due]:
    """What is to be asked about now, that which is due for longest first."""
    shipment = (deliveries.c.destination, deliveries.c.job_id)
    query = select(*shipment).where(_is_due(now)).group_by(*shipment)
    rows = connection.execute(query.order_by(func.min(deliveries.c.commitment_due)))
    return [Due(row.destination, row.job_id) for row in rows]


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
    connection: Connection, of: Due, about: Sequence[Unconfirmed], again: datetime | None
) -> None:
    """Note that it was asked, and when to ask again, if nothing is reported."""
    counted = deliveries.c.commitment_asks + 1
    write(connection, _these(of, about), commitment_asks=counted, commitment_due=again)


def bring_forward(connection: Connection, latest: datetime) -> None:
    """What is due later than anything is put off now was put off by a clock set back since."""
    write(connection, deliveries.c.commitment_due > latest, commitment_due=latest)


def _of(due: Due) -> ColumnElement[bool]:
    return and_(deliveries.c.job_id == due.job_id, deliveries.c.destination == due.destination)


def _these(of: Due, about: Iterable[Unconfirmed]) -> ColumnElement[bool]:
    uids = [each.sop_instance_uid for each in about]
    return and_(_of(of), deliveries.c.sop_instance_uid.in_(uids))


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(
        deliveries.c.status == "delivered",
        deliveries.c.committed.is_(None),
        deliveries.c.commitment_due <= now,
    )
