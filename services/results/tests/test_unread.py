"""An input that was announced and got lost before results had read it is announced again."""

from datetime import timedelta
from pathlib import Path

from services.results.intake import Intake
from services.results.tests.facts import RECEIVED, Story, intake_into
from services.results.tests.marred import MarredStore
from services.results.unread import Unread, publish_again
from shared.bus import announced
from shared.bus.announced import Announced
from shared.bus.memory import MemoryBus
from shared.bus.received import Received
from shared.clock import ManualClock
from shared.events.models import InputReady


class System:
    """What ingest has announced lies in the store; the bus may have lost it."""

    def __init__(self, path: Path) -> None:
        self.store, self.clock, self.bus = MarredStore(), ManualClock(RECEIVED), MemoryBus()
        self.intake: Intake = intake_into(path, self.store, self.clock)
        self.story = Story(self.store)
        self.asked = self.story.input_ready()
        announced.keep(self.store, _announced(self.asked))
        self.unread = self.started_anew()

    def started_anew(self) -> Unread:
        """What a process knows when it begins."""
        return Unread(self.intake.ledger, self.store, self.clock, timedelta(seconds=60))

    async def look(self) -> list[Received]:
        """What a round publishes."""
        before = len(self.bus.records)
        await publish_again(self.unread.round(), self.bus)
        return self.bus.records[before:]


def _announced(received: Received) -> Announced:
    event, data = received.event, received.event.data
    assert isinstance(data, InputReady)
    return Announced(
        id=event.id,
        time=event.time,
        traceparent=event.traceparent,
        partition=received.place.partition,
        data=data,
    )


async def test_it_is_published_as_it_was_and_then_read(tmp_path: Path) -> None:
    system = System(tmp_path)
    assert await system.look() == []
    system.clock.advance(60)
    (again,) = await system.look()
    assert (again.event, again.place.partition) == (system.asked.event, 2)
    system.intake.take([again])
    system.clock.advance(7000)
    assert await system.look() == []
    assert announced.jobs(system.store) == []


async def test_what_was_read_in_time_is_not_published_again(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.intake.take([system.asked])
    await system.look()
    system.clock.advance(7000)
    assert await system.look() == []
    assert announced.jobs(system.store) == []


async def test_facts_about_its_stages_do_not_make_good_for_it(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.intake.take([system.story.made("reader")])
    await system.look()
    system.clock.advance(60)
    assert [each.event.kind for each in await system.look()] == ["input-ready"]


async def test_each_time_waits_twice_as_long(tmp_path: Path) -> None:
    system = System(tmp_path)
    found = []
    for _ in range(9):
        found.append(len(await system.look()))
        system.clock.advance(60)
    assert found == [0, 1, 0, 1, 0, 0, 0, 1, 0]


async def test_after_a_restart_it_is_found_again(tmp_path: Path) -> None:
    system = System(tmp_path)
    await system.look()
    system.clock.advance(3600)
    system.unread = system.started_anew()
    assert await system.look() == []  # it may be on its way: this process has not read till now
    system.clock.advance(60)
    assert len(await system.look()) == 1


async def test_one_that_cannot_be_understood_keeps_no_other_back(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.store.create(announced.key("a-job"), b'{"id": "of another make"}')
    await system.look()
    system.clock.advance(60)
    assert [each.event for each in await system.look()] == [system.asked.event]


async def test_one_that_cannot_be_read_keeps_no_other_back(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.store.create(announced.key("a-job"), b"on a bad sector")
    system.store.bad.add(announced.key("a-job"))
    await system.look()
    system.clock.advance(60)
    assert [each.event for each in await system.look()] == [system.asked.event]
