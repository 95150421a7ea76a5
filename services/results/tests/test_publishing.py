"""Replicas on one ledger: what is published, is published once and in its order."""

import asyncio
from pathlib import Path

from services.results.ledger import outbox
from services.results.ledger.database import Ledger
from services.results.publishing import publish_all
from services.results.tests.facts import RECEIVED
from services.results.turn import Turn
from shared.bus.memory import MemoryBus
from shared.bus.received import EventTooLarge
from shared.clock import ManualClock
from shared.events.models import JobControl, Lane
from shared.events.wire import Event


class Replicas:
    """Two of them, which share a ledger and a bus."""

    def __init__(self, path: Path) -> None:
        self.url, self.bus = f"sqlite:///{path}/ledger.db", MemoryBus()
        self.clock = ManualClock(RECEIVED)
        self.first, self.second = (self._started(name) for name in ("first", "second"))

    def _started(self, name: str) -> tuple[Ledger, Turn]:
        ledger = Ledger(self.url)
        ledger.migrate()
        return ledger, Turn(ledger, "publishing", name, self.clock, self.timer)

    def timer(self) -> float:
        return self.clock().timestamp()

    def say(self, *lanes: Lane) -> None:
        """Somebody chooses lanes for the one job, one after the other."""
        ledger, _ = self.first
        with ledger.transaction() as connection:
            for place, lane in enumerate(lanes):
                control = JobControl(job_id="job", lane=lane)
                name = f"{len(self.said())} {place} {lane}"
                event = Event(name, "results", "job-control", "job", RECEIVED, "", control)
                outbox.put(connection, event, lane=None, partition=None, key="job")

    def said(self) -> list[Lane | None]:
        """What was published, in its order."""
        found = [received.event.data for received in self.bus.records]
        return [data.lane for data in found if isinstance(data, JobControl)]

    async def both(self) -> None:
        """Each takes its turn if it can, and publishes what waits, at the same time."""

        async def one(ledger: Ledger, turn: Turn) -> None:
            await asyncio.to_thread(turn.take)
            await publish_all(ledger, self.bus, self.clock, turn)

        await asyncio.gather(one(*self.first), one(*self.second))


async def test_one_of_two_publishes_each_event_once_and_in_order(tmp_path: Path) -> None:
    replicas = Replicas(tmp_path)
    replicas.say(Lane.STAT, Lane.BULK, Lane.ROUTINE)
    await replicas.both()
    replicas.say(Lane.BULK, Lane.STAT)
    await replicas.both()
    assert replicas.said() == [Lane.STAT, Lane.BULK, Lane.ROUTINE, Lane.BULK, Lane.STAT]


async def test_when_the_one_that_publishes_has_died_the_other_goes_on(tmp_path: Path) -> None:
    replicas = Replicas(tmp_path)
    assert replicas.first[1].take()
    replicas.say(Lane.STAT)
    ledger, turn = replicas.second
    replicas.clock.advance(29)
    assert not turn.take()
    replicas.clock.advance(1)
    assert turn.take()
    await publish_all(ledger, replicas.bus, replicas.clock, turn)
    assert replicas.said() == [Lane.STAT]


async def test_one_that_was_cut_off_for_long_publishes_no_more(tmp_path: Path) -> None:
    replicas = Replicas(tmp_path)
    ledger, turn = replicas.first
    assert turn.take()
    replicas.clock.advance(31)
    assert replicas.second[1].take()
    replicas.say(Lane.STAT)
    assert await publish_all(ledger, replicas.bus, replicas.clock, turn) == 0


async def test_one_that_ends_gives_its_turn_to_the_other(tmp_path: Path) -> None:
    replicas = Replicas(tmp_path)
    assert replicas.first[1].take()
    replicas.first[1].give_back()
    assert replicas.second[1].take()


async def test_what_the_bus_will_never_take_keeps_nothing_back(tmp_path: Path) -> None:
    class Choosy(MemoryBus):
        async def publish(
            self, event: Event, lane: Lane | None, partition: int | None, key: str | None = None
        ) -> None:
            if event.data == JobControl(job_id="job", lane=Lane.STAT):
                raise EventTooLarge(event.kind, 2 << 20)
            await super().publish(event, lane, partition, key)

    replicas = Replicas(tmp_path)
    replicas.bus = Choosy()
    replicas.say(Lane.STAT, Lane.BULK)
    await replicas.both()
    await replicas.both()
    assert replicas.said() == [Lane.BULK]
