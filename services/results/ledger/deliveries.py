"""The deliveries that are due: planned when a job is finished, claimed, and what came of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from services.results.ledger.record import insert_new
from services.results.ledger.tables import deliveries
from shared.events.models import Lane, PayloadRef
from shared.lanes import HANDICAP

DeliveryStatus = Literal["waiting", "delivered", "held", "failed"]

ORDER = {"seg": 0, "sr": 1, "encapsulated-pdf": 2, "key-object": 3}
"""SEG first, because reports refer to it; what is none of these goes before the key object."""

_LANES = tuple(Lane)
LEASE = timedelta(minutes=2)
"""How long a claim holds of which nothing more is heard: then its replica has died."""
SUPERSEDED, REPLACED = "superseded-by-newer-version", "replaced-by-later-run"
"""Why something was withdrawn that waited."""
NOT_TAKEN = or_(
    deliveries.c.status == "held",
    and_(
        deliveries.c.status == "failed",
        func.coalesce(deliveries.c.last_error, "").not_in((SUPERSEDED, REPLACED)),
    ),
)
"""Nobody sends it by himself any more, and nothing has replaced it."""
_AT_ONCE = datetime.fromtimestamp(0, UTC)
"""Due by everybody's clock, whoever planned it."""


@dataclass(frozen=True)
class Planned:
    """One object for one destination."""

    job_id: str
    run: int
    stage: str
    output: str
    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    payload: PayloadRef
    destination: str
    lane: Lane


@dataclass(frozen=True)
class Due:
    """What one association is to carry."""

    destination: str
    job_id: str


@dataclass(frozen=True)
class Delivery:
    """One object on its way to one destination."""

    job_id: str
    run: int
    stage: str
    output: str
    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    payload: PayloadRef
    destination: str
    status: DeliveryStatus
    attempts: int
    last_error: str | None
    dicom_status: str | None
    committed: bool | None
    commitment_error: str | None
    waiting_since: datetime
    next_attempt_at: datetime
    claimed_by: str | None

    @property
    def put_off_to(self) -> datetime | None:
        """When it is tried again; None where that is never, at once, or now."""
        waits = self.status == "waiting" and not self.claimed_by
        return self.next_attempt_at if waits and self.next_attempt_at != _AT_ONCE else None


def plan(
    connection: Connection, planned: Iterable[Planned], now: datetime, *, again: bool = False
) -> None:
    """Have objects delivered, unless they are planned for their destination already.

    A first run replaces nothing. `again` takes up what an earlier run could not deliver.
    """
    wanted_now = list(planned)
    first = [_row(wanted, now) for wanted in wanted_now if wanted.run == 1]
    insert_new(connection, deliveries, *first)
    later = [wanted for wanted in wanted_now if wanted.run > 1]
    if later:
        _lock(connection, deliveries.c.job_id.in_({wanted.job_id for wanted in later}))
    for wanted in later:
        if insert_new(connection, deliveries, _row(wanted, now)):
            _replace_earlier(connection, wanted)
        elif again:
            _replace_earlier(connection, wanted)
            _try_again(connection, wanted, now)


def _row(wanted: Planned, now: datetime) -> dict[str, Any]:
    return {
        "job_id": wanted.job_id,
        "sop_instance_uid": wanted.sop_instance_uid,
        "destination": wanted.destination,
        "run": wanted.run,
        "stage": wanted.stage,
        "output": wanted.output,
        "kind": wanted.kind,
        "sop_class_uid": wanted.sop_class_uid,
        "payload": wanted.payload.model_dump(),
        "position": ORDER.get(wanted.kind, 2),
        "urgency": _LANES.index(wanted.lane),
        "status": "waiting",
        "attempts": 0,
        "waiting_since": now,
        "planned_at": now,
        "next_attempt_at": _AT_ONCE,
    }


def _try_again(connection: Connection, wanted: Planned, now: datetime) -> None:
    which = and_(_key(wanted), deliveries.c.status.in_(("held", "failed")))
    again = {"status": "waiting", "waiting_since": now, "next_attempt_at": _AT_ONCE}
    write(connection, which, run=wanted.run, planned_at=now, **again)


def _replace_earlier(connection: Connection, wanted: Planned) -> None:
    """Another object of the same output that still waits is not wanted any more."""
    others = and_(
        _still_waits(wanted.job_id),
        deliveries.c.output == wanted.output,
        deliveries.c.destination == wanted.destination,
        deliveries.c.sop_instance_uid != wanted.sop_instance_uid,
    )
    write(connection, others, status="failed", last_error=REPLACED)


def cancel(connection: Connection, job_id: str, why: str) -> None:
    """Nothing of this job that still waits is sent any more."""
    write(connection, _still_waits(job_id), status="failed", last_error=why)


def change_lane(connection: Connection, job_id: str, lane: Lane) -> None:
    """What still waits of this job goes by its new lane."""
    write(connection, _still_waits(job_id), urgency=_LANES.index(lane))


def due(connection: Connection, now: datetime) -> list[Due]:
    """What may be sent now: urgent lanes first, but what has waited long comes before them."""
    shipment = (deliveries.c.destination, deliveries.c.job_id)
    came = func.coalesce(deliveries.c.planned_at, deliveries.c.waiting_since)
    rank = (func.min(deliveries.c.urgency), func.min(came))
    query = select(*shipment, *rank).where(_is_due(now)).group_by(*shipment)
    found = sorted(connection.execute(query), key=lambda row: row[3] + HANDICAP[_LANES[row[2]]])
    return [Due(row.destination, row.job_id) for row in found]


def claim(connection: Connection, wanted: Due, now: datetime, by: str) -> list[Delivery]:
    """Take what is due for one association, in its order; others leave it alone for `LEASE`."""
    mine = and_(_of(wanted), _is_due(now))
    order = (deliveries.c.position, deliveries.c.output)
    rows = connection.execute(
        select(deliveries).where(mine).order_by(*order).with_for_update(skip_locked=True)
    ).all()
    taken = [_delivery_of(dict(row._mapping)) for row in rows]
    for delivery in taken:  # these alone: more may have become due meanwhile
        values = {"claimed_by": by, "next_attempt_at": now + LEASE}
        connection.execute(update(deliveries).where(_key(delivery)).values(**values))
    return taken


def lock(connection: Connection, several: Sequence[Delivery]) -> None:
    """Have these rows, before a transaction writes them one by one in an order of its own."""
    if len(several) > 1:
        _lock(connection, or_(*(_key(delivery) for delivery in several)))


def renew(connection: Connection, carried: Due, now: datetime, by: str) -> None:
    """What this replica still carries for one association stays its own for another `LEASE`."""
    write(connection, and_(_of(carried), _claimed(by)), next_attempt_at=now + LEASE)


def bring_forward(connection: Connection, latest: datetime) -> None:
    """What waits for later than anything is put off now was put off by a clock set back since."""
    waits = and_(deliveries.c.status == "waiting", deliveries.c.next_attempt_at > latest)
    write(connection, waits, next_attempt_at=latest)


def release(connection: Connection, by: str) -> None:
    """What this replica had claimed before it died is due again: same UIDs, same bytes."""
    write(connection, _claimed(by), claimed_by=None, next_attempt_at=_AT_ONCE)


def is_claimed(connection: Connection, delivery: Delivery, by: str) -> bool:
    """Whether it is still wanted, and nobody else has taken it up since it was claimed."""
    query = select(deliveries.c.job_id).where(_key(delivery), _claimed(by))
    return connection.execute(query).first() is not None


def settle(
    connection: Connection,
    delivery: Delivery,
    by: str,
    status: DeliveryStatus,
    error: str | None,
    dicom_status: str | None,
    now: datetime,
    next_attempt_at: datetime | None = None,
    *,
    confirms: bool = False,
) -> int | None:
    """Write what an attempt came to; which attempt that was, of all that were made.

    What a destination that `confirms` has taken is to be asked about from now on. What has arrived
    counts, even if it was cancelled or taken over since; anything else only from whom it is claimed
    by: None where that is somebody else, or it had arrived already.
    """
    still = _claimed(by) if status != "delivered" else deliveries.c.status != "delivered"
    settled = connection.execute(
        update(deliveries)
        .where(_key(delivery), still)
        .values(
            status=status,
            attempts=deliveries.c.attempts + 1,
            last_error=error,
            dicom_status=dicom_status,
            claimed_by=None,
            waiting_since=now,
            next_attempt_at=next_attempt_at or now,
            commitment_due=now if confirms and status == "delivered" else None,
        )
    )
    if not settled.rowcount:
        return None
    return connection.execute(select(deliveries.c.attempts).where(_key(delivery))).scalar()


def of_job(connection: Connection, job_id: str) -> list[Delivery]:
    """Every delivery of a job, in the order of sending."""
    query = select(deliveries).where(deliveries.c.job_id == job_id)
    order = (deliveries.c.position, deliveries.c.output, deliveries.c.destination)
    rows = connection.execute(query.order_by(*order)).all()
    return [_delivery_of(dict(row._mapping)) for row in rows]


def counts(connection: Connection, job_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many deliveries of each job stand at each status."""
    query = (
        select(deliveries.c.job_id, deliveries.c.status, func.count().label("many"))
        .where(deliveries.c.job_id.in_(job_ids))
        .group_by(deliveries.c.job_id, deliveries.c.status)
    )
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(query):
        found.setdefault(row.job_id, {})[row.status] = row.many
    return found


def write(connection: Connection, which: ColumnElement[bool], **values: Any) -> None:
    """Write rows that were locked in the order of their keys."""
    _lock(connection, which)
    connection.execute(update(deliveries).where(which).values(**values))


def _lock(connection: Connection, which: ColumnElement[bool]) -> None:
    """Have all rows that are written, by their key: two transactions that lock the same rows in
    different orders would each wait for the other. SQLite's writers take turns anyway.
    """
    if connection.dialect.name != "sqlite":
        query = select(deliveries.c.job_id).where(which).order_by(*deliveries.primary_key)
        connection.execute(query.with_for_update()).all()


def _of(due: Due) -> ColumnElement[bool]:
    return and_(deliveries.c.job_id == due.job_id, deliveries.c.destination == due.destination)


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(deliveries.c.status == "waiting", deliveries.c.next_attempt_at <= now)


def _still_waits(job_id: str) -> ColumnElement[bool]:
    return and_(deliveries.c.job_id == job_id, deliveries.c.status.in_(("waiting", "held")))


def _claimed(by: str) -> ColumnElement[bool]:
    return and_(deliveries.c.claimed_by == by, deliveries.c.status == "waiting")


def _key(delivery: Planned | Delivery) -> ColumnElement[bool]:
    return and_(
        deliveries.c.job_id == delivery.job_id,
        deliveries.c.sop_instance_uid == delivery.sop_instance_uid,
        deliveries.c.destination == delivery.destination,
    )


def _delivery_of(row: dict[str, Any]) -> Delivery:
    row["payload"] = PayloadRef.model_validate(row["payload"])
    return Delivery(**{name: row[name] for name in Delivery.__dataclass_fields__})
