"""A job that is given another lane leaves the queues that it stands in."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from services.results.moving import Mover
from services.results.requests import Desk
from services.results.tests.facts import Story, job
from services.results.tests.standstill import ChoosyBus, System
from services.results.turn import Turn
from shared.bus import outcomes
from shared.bus.memory import MemoryBus
from shared.bus.received import Received
from shared.catalog import topic_name
from shared.errors import Unavailable
from shared.events.models import Lane
from shared.events.wire import Event
from shared.identity import case_id


class Lanes(System):
    """A system whose jobs may be given other lanes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        ledger = self.intake.ledger
        self.desk = Desk(ledger, self.intake.concluder, self.clock)
        self.mover = Mover(ledger, self.restarter)
        self.turn = Turn(ledger, "publishing", "the one", self.clock)
        self.turn.take()

    def known(self, *facts: Received) -> None:
        self.intake.take(facts)

    async def moved(self) -> list[tuple[str, Lane | None, int]]:
        """What a round publishes: the id, the lane and the partition."""
        before = len(self.bus.records)
        await self.mover.round(self.bus, self.turn)
        places = ((r.event.id, r.place) for r in self.bus.records[before:])
        return sorted((name, place.lane, place.partition) for name, place in places)


class DyingBus(MemoryBus):
    """Takes one event, and is gone."""

    async def publish(
        self, event: Event, lane: Lane | None, partition: int | None, key: str | None = None
    ) -> None:
        if self.records:
            raise Unavailable("kafka")
        await super().publish(event, lane, partition, key)


@pytest.fixture
def system(tmp_path: Path) -> Lanes:
    return Lanes(tmp_path)


def _by_stat(*facts: Received) -> Sequence[tuple[str, Lane | None, int]]:
    return sorted((fact.event.id, Lane.STAT, fact.place.partition) for fact in facts)


async def test_a_job_that_waits_for_the_reader_is_begun_by_its_new_lane(system: Lanes) -> None:
    asked = system.story.input_ready()
    system.known(asked)
    system.desk.change_lane(job(), Lane.STAT)
    assert await system.moved() == _by_stat(asked)
    assert await system.moved() == []


async def test_what_wakes_the_stages_that_it_waits_for_goes_by_the_new_lane(system: Lanes) -> None:
    asked = system.story.input_ready()
    volume, lungs = system.ended("reader", "lung-seg")
    system.known(asked, volume, lungs)
    system.desk.change_lane(job(), Lane.STAT)
    assert await system.moved() == _by_stat(volume, lungs)


async def test_an_event_that_came_by_the_old_lane_after_the_change_follows(system: Lanes) -> None:
    system.known(system.story.input_ready())
    system.desk.change_lane(job(), Lane.STAT)
    await system.moved()
    (volume,) = system.ended("reader")
    system.known(volume)
    assert await system.moved() == _by_stat(volume)


async def test_what_goes_by_the_chosen_lane_is_left_there(system: Lanes) -> None:
    system.known(system.story.input_ready())
    system.desk.change_lane(job(), Lane.STAT)
    await system.moved()
    (volume,) = system.ended("reader")
    place = replace(volume.place, topic=topic_name("volume-ready", Lane.STAT), lane=Lane.STAT)
    system.known(replace(volume, place=place))
    assert await system.moved() == []


async def test_a_job_of_which_nobody_chose_the_lane_is_left_where_it_is(system: Lanes) -> None:
    (volume,) = system.ended("reader")
    system.known(system.story.input_ready(), volume)
    assert await system.moved() == []


async def test_a_finished_job_has_nothing_that_waits(system: Lanes) -> None:
    system.known(*system.story.whole())
    system.desk.change_lane(job(), Lane.STAT)
    assert await system.moved() == []


async def test_what_a_crash_cut_off_is_published_whole_the_next_time(system: Lanes) -> None:
    made = system.ended("reader", "lung-seg")
    system.known(system.story.input_ready(), *made)
    system.desk.change_lane(job(), Lane.STAT)
    with pytest.raises(Unavailable):
        await system.mover.round(DyingBus(), system.turn)
    assert await system.moved() == _by_stat(*made)


async def test_a_lane_that_is_chosen_while_another_is_told_is_told_too(system: Lanes) -> None:
    asked = system.story.input_ready()
    system.known(asked)
    system.desk.change_lane(job(), Lane.STAT)

    class Meanwhile(MemoryBus):
        async def publish(
            self, event: Event, lane: Lane | None, partition: int | None, key: str | None = None
        ) -> None:
            if not self.records:
                system.desk.change_lane(job(), Lane.BULK)
            await super().publish(event, lane, partition, key)

    bus = Meanwhile()
    await system.mover.round(bus, system.turn)
    assert [received.place.lane for received in bus.records] == [Lane.STAT, Lane.BULK]


async def test_one_whose_turn_it_is_not_publishes_nothing(system: Lanes) -> None:
    system.known(system.story.input_ready())
    system.desk.change_lane(job(), Lane.STAT)
    system.turn.give_back()
    assert await system.moved() == []


async def test_a_job_whose_outcome_is_not_understood_keeps_no_other_back(system: Lanes) -> None:
    beside = Story(system.store, case=case_id("covid19-ct", "beside", "study")).input_ready()
    system.known(system.story.input_ready(), beside)
    system.store.create(outcomes.key(job(), 1, "reader"), b"{")
    for each in (job(), beside.event.subject):
        system.desk.change_lane(each, Lane.STAT)
    assert await system.moved() == _by_stat(system.story.input_ready(), beside)
    assert await system.moved() == []


async def test_a_job_whose_outcome_can_t_be_read_keeps_no_other_back(system: Lanes) -> None:
    beside = Story(system.store, case=case_id("covid19-ct", "beside", "study")).input_ready()
    system.known(system.story.input_ready(), beside)
    system.ended("reader")
    system.store.bad.add(outcomes.key(job(), 1, "reader"))
    for each in (job(), beside.event.subject):
        system.desk.change_lane(each, Lane.STAT)
    assert await system.moved() == _by_stat(system.story.input_ready(), beside)


async def test_an_event_that_is_too_large_is_passed_over(system: Lanes) -> None:
    made = system.ended("reader", "lung-seg")
    system.known(system.story.input_ready(), *made)
    system.desk.change_lane(job(), Lane.STAT)
    system.bus = ChoosyBus("volume-ready")
    assert await system.moved() == _by_stat(*made[1:])
    assert await system.moved() == []
