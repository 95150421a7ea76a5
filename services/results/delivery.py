"""Delivers what is due: one association per destination and job, each destination by itself."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from opentelemetry.trace import SpanKind
from sqlalchemy import Connection

from services.results import announce
from services.results.confirming import AskCommitment, Confirmer
from services.results.ledger import commitments, deliveries, outbox, runs
from services.results.ledger.database import Ledger
from services.results.ledger.deliveries import LEASE, Delivery, Due
from services.results.ledger.runs import StoredRun
from services.results.scu import Answer, Parcel
from services.results.settings import Destination
from shared.clock import Clock
from shared.errors import Unavailable
from shared.store.port import PayloadMissing, PayloadStore
from shared.telemetry import tracing
from shared.telemetry.attributes import ATTEMPT, CODE, DESTINATION, INSTANCES, JOB, RUN, WAIT
from shared.telemetry.logs import logger

IsWanted = Callable[[Parcel], bool]
Send = Callable[[Destination, Sequence[Parcel], IsWanted], Iterator[Answer | None]]

_Name = TypeVar("_Name")
_Future = asyncio.Future[None]

UNKNOWN_DESTINATION = Answer("held", "unknown-destination")
PAYLOAD_MISSING = Answer("failed", "payload-missing")


@dataclass(frozen=True)
class Backoff:
    """How long to wait after each attempt, in seconds: doubled up to the longest."""

    first: float
    longest: float

    def after(self, attempts: int) -> timedelta:
        return timedelta(seconds=min(self.longest, self.first * 2 ** min(attempts - 1, 30)))


@dataclass(frozen=True)
class _Voyage:
    """What the facts about one shipment have in common."""

    began_at: datetime
    traceparent: str
    runs: Mapping[int, StoredRun | None]


@dataclass(frozen=True)
class Courier:
    """Carries one shipment at a time, in the thread that calls it; `clock` is the ledger's."""

    ledger: Ledger
    store: PayloadStore
    destinations: Mapping[str, Destination]
    clock: Clock
    backoff: Backoff
    name: str
    send: Send
    ask_commitment: AskCommitment

    @property
    def confirmer(self) -> Confirmer:
        """Who asks about what was sent."""
        return Confirmer(
            self.ledger, self.destinations, self.clock, self.backoff.after, self.ask_commitment
        )

    def deliver(self, due: Due) -> None:
        """Send what is due for one destination and job; note each answer as it comes."""
        began_at = self.clock()
        with self.ledger.transaction() as connection:
            claimed = deliveries.claim(connection, due, began_at, self.name)
            numbers = sorted({delivery.run for delivery in claimed})
            known = {number: runs.load(connection, due.job_id, number) for number in numbers}
        run = known.get(claimed[-1].run) if claimed else None
        if run is None:
            return
        parent = run.finish_traceparent
        attempt = claimed[0].attempts + 1
        marks: tracing.Attributes = {JOB: due.job_id, RUN: run.run, DESTINATION: due.destination}
        waited = {WAIT: "backoff" if attempt > 1 else "queue"}
        since = claimed[0].waiting_since
        tracing.record("wait", since, self.clock(), {**marks, **waited}, parent=parent)
        counted = {**marks, ATTEMPT: attempt, INSTANCES: len(claimed)}
        with (
            self._given_back(claimed),
            tracing.span("deliver", counted, parent=parent, kind=SpanKind.CLIENT) as span,
        ):
            self._carry(due, claimed, _Voyage(began_at, tracing.traceparent_of(span), known))

    def keep(self, carried: Iterable[Due]) -> None:
        """What is being carried stays this replica's own, however long it takes."""
        now = self.clock()
        for due in carried:
            with self.ledger.transaction() as connection:
                deliveries.renew(connection, due, now, self.name)

    def set_back(self, now: datetime) -> None:
        """The clock has been set back, perhaps: nothing waits for longer than is ever waited."""
        longest = max(LEASE, timedelta(seconds=self.backoff.longest))
        with self.ledger.transaction() as connection:
            deliveries.bring_forward(connection, now + longest)
        self.confirmer.set_back()

    @contextmanager
    def _given_back(self, claimed: Sequence[Delivery]) -> Iterator[None]:
        """Whatever breaks off the carrying counts as an attempt of what has no answer yet."""
        try:
            yield
        except Exception:
            now = self.clock()
            with self.ledger.transaction() as connection:
                deliveries.lock(connection, claimed)
                for delivery in claimed:
                    later = now + self.backoff.after(delivery.attempts + 1)
                    deliveries.settle(
                        connection, delivery, self.name, "waiting", "broke-off", None, now, later
                    )
            raise

    def _carry(self, due: Due, claimed: Sequence[Delivery], voyage: "_Voyage") -> None:
        destination = self.destinations.get(due.destination)
        parcels = [self._parcel(delivery) for delivery in claimed]
        ready = [(d, p) for d, p in zip(claimed, parcels, strict=True) if p]
        lacking = PAYLOAD_MISSING if destination else UNKNOWN_DESTINATION
        gone = [d for d, p in zip(claimed, parcels, strict=True) if destination is None or not p]
        self._settle([(delivery, lacking) for delivery in gone], voyage)
        if destination is None or not ready:
            return
        self._send(destination, ready, voyage)

    def _send(
        self, destination: Destination, ready: Sequence[tuple[Delivery, Parcel]], voyage: "_Voyage"
    ) -> None:
        """What has arrived is noted before the next is sent: a crash sends that one again at most.
        What has not is noted together.
        """
        by_uid = {delivery.sop_instance_uid: delivery for delivery, _ in ready}
        parcels = [parcel for _, parcel in ready]
        answers = self.send(
            destination, parcels, lambda parcel: self._is_wanted(by_uid[parcel.sop_instance_uid])
        )
        unsent: list[tuple[Delivery, Answer]] = []
        for (delivery, _), answer in zip(ready, answers, strict=True):
            if answer and answer.verdict == "delivered":
                self._settle([(delivery, answer)], voyage)
            elif answer:
                unsent.append((delivery, answer))
        self._settle(unsent, voyage)

    def _is_wanted(self, delivery: Delivery) -> bool:
        """A newer version or a later run may have put an end to it since it was claimed."""
        with self.ledger.reading() as connection:
            return deliveries.is_claimed(connection, delivery, self.name)

    def _parcel(self, delivery: Delivery) -> Parcel | None:
        try:
            path = self.store.path(delivery.payload)
        except PayloadMissing:
            return None
        return Parcel(delivery.sop_class_uid, delivery.sop_instance_uid, path)

    def _settle(self, answered: Sequence[tuple[Delivery, Answer]], voyage: "_Voyage") -> None:
        """Note answers, and have told what they change, in one transaction."""
        if not answered:
            return
        now = self.clock()
        with self.ledger.transaction() as connection:
            deliveries.lock(connection, [delivery for delivery, _ in answered])
            for delivery, answer in answered:
                self._note(connection, delivery, answer, voyage, now)
        for delivery, answer in answered:
            if answer.verdict != "delivered":
                logger().warning(
                    "not delivered",
                    **{JOB: delivery.job_id, DESTINATION: delivery.destination, CODE: answer.code},
                )

    def _note(
        self,
        connection: Connection,
        delivery: Delivery,
        answer: Answer,
        voyage: "_Voyage",
        now: datetime,
    ) -> None:
        again = answer.verdict == "retry"
        later = now + self.backoff.after(delivery.attempts + 1) if again else None
        status = "waiting" if answer.verdict == "retry" else answer.verdict
        said = "failed" if answer.verdict == "retry" else answer.verdict
        destination = self.destinations.get(delivery.destination)
        confirms = destination is not None and destination.commitment
        came_to = (status, answer.code, answer.dicom_status, now, later)
        attempt = deliveries.settle(connection, delivery, self.name, *came_to, confirms=confirms)
        run = voyage.runs.get(delivery.run)
        if attempt is None or run is None:
            return
        at = (voyage.began_at, now, voyage.traceparent)
        event = announce.dicom_delivered(run, delivery, attempt, said, answer.dicom_status, *at)
        outbox.put(connection, event, lane=run.lane, partition=run.partition)


class Dispatch:
    """Gives each destination threads of its own, so that one that is down delays no other."""

    def __init__(
        self, courier: Courier, associations: int, on_settled: Callable[[], None] = lambda: None
    ) -> None:
        self._courier = courier
        self._on_settled = on_settled
        self._associations = associations
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._under_way: dict[Due, _Future] = {}
        self._asking: dict[str, _Future] = {}
        self._kept_at: datetime | None = None
        self._looked_at: datetime | None = None

    async def round(self) -> None:
        """Start what is due and not under way, as far as threads are free.

        What is under way is kept from other replicas, who would take it for given up. A destination
        is asked to confirm in one thread at a time, and in one that nothing waits for to be sent.
        """
        if self._under_way:
            await asyncio.to_thread(self._keep, tuple(self._under_way))
        for due in await asyncio.to_thread(self._due):
            if due not in self._under_way and self._is_free(due.destination):
                self._start(due, self._courier.deliver, self._under_way, due)
        for due in await asyncio.to_thread(self._unconfirmed):
            if due.destination not in self._asking and self._is_free(due.destination):
                self._start(due, self._courier.confirmer.confirm, self._asking, due.destination)

    async def settled(self) -> None:
        """Wait for what is under way."""
        while busy := (*self._under_way.values(), *self._asking.values()):
            await asyncio.wait(busy)

    def close(self) -> None:
        """Begin nothing more; what is being sent goes on until it is sent."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    def _keep(self, under_way: Iterable[Due]) -> None:
        now = self._courier.clock()
        if self._kept_at is None or not self._kept_at <= now < self._kept_at + LEASE / 4:
            self._kept_at = now
            self._courier.keep(under_way)

    def _due(self) -> list[Due]:
        now = self._courier.clock()
        if self._looked_at is None or now < self._looked_at:
            self._courier.set_back(now)
        self._looked_at = now
        with self._courier.ledger.reading() as connection:
            return deliveries.due(connection, now)

    def _unconfirmed(self) -> list[Due]:
        with self._courier.ledger.reading() as connection:
            return commitments.due(connection, self._courier.clock())

    def _is_free(self, destination: str) -> bool:
        """Whether one more association with it may be open."""
        busy = sum(due.destination == destination for due in self._under_way)
        return busy + (destination in self._asking) < self._associations

    def _start(
        self, due: Due, act: Callable[[Due], None], among: dict[_Name, _Future], name: _Name
    ) -> None:
        threads = self._threads.setdefault(
            due.destination,
            ThreadPoolExecutor(self._associations, thread_name_prefix=f"to-{due.destination}"),
        )
        among[name] = asyncio.get_running_loop().run_in_executor(threads, act, due)
        among[name].add_done_callback(lambda done: self._ended(among, name, done))

    def _ended(self, among: dict[_Name, _Future], name: _Name, done: _Future) -> None:
        del among[name]
        self._on_settled()
        if done.cancelled():
            return
        error = done.exception()
        if error and not isinstance(error, Unavailable):
            logger().error("delivery broke off", exception_type=type(error).__name__)
