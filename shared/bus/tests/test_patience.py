"""What waits for an outage waits for its end; what waits for one broken file gives up."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from shared.bus import attempts, outcomes
from shared.bus.engine import Engine
from shared.bus.execution import Defect, Down, Verdict, judge
from shared.bus.intake import Intake
from shared.bus.memory import MemoryBus
from shared.bus.platform import Platform
from shared.bus.received import Place, Received
from shared.bus.tests import virtual_time
from shared.bus.tests.away import BadSectors, platform_on
from shared.bus.tests.test_intake import Consumer
from shared.bus.tests.world import Record
from shared.bus.work import Work
from shared.errors import Unavailable
from shared.events.models import Lane
from shared.events.wire import encode
from shared.store.memory import MemoryStore
from shared.testing import toy

KEY = "outcomes/job/1/reader.json"
PLACE = Place("clarion.input-ready.v1.routine", 3, 0, Lane.ROUTINE)


def received(store: MemoryStore, run: int = 1) -> Received:
    """The event with which a run of the job begins."""
    return Received(toy.input_ready(store, run), PLACE)


def test_a_file_that_can_t_be_read_is_tried_for_half_a_minute_with_growing_rests() -> None:
    store = BadSectors()
    store.bad.add(KEY)

    async def story() -> float:
        with pytest.raises(Unavailable):
            await platform_on(store).patiently(store.read, KEY)
        return asyncio.get_running_loop().time()

    assert 20 < virtual_time.run(story()) < 40
    assert store.tried == 11


def test_an_outage_is_waited_for_however_long_it_lasts() -> None:
    store = BadSectors()
    store.down = True

    async def story() -> None:
        reading = asyncio.create_task(platform_on(store).patiently(store.read, KEY))
        await asyncio.sleep(10 * 24 * 3600)
        assert not reading.done()
        store.down = False
        assert await reading is None

    virtual_time.run(story())


def test_what_failed_before_an_outage_does_not_count_after_it() -> None:
    store = BadSectors()

    async def story() -> None:
        store.bad.add(KEY)
        reading = asyncio.create_task(platform_on(store).patiently(store.read, KEY))
        await asyncio.sleep(20)
        store.down = True
        await asyncio.sleep(3600)
        store.down = False
        await asyncio.sleep(20)
        assert not reading.done()
        store.bad.clear()
        assert await reading is None

    virtual_time.run(story())


def test_an_earlier_run_in_a_broken_file_is_not_taken_over() -> None:
    store = BadSectors()
    again = received(store, run=2)
    job = again.event.subject
    store.bad.add(outcomes.key(job, 1, "reader"))
    virtual_time.run(Engine(platform_on(store)).handle(again))
    made = outcomes.read(store, job, 2, "reader")
    assert made is not None
    assert (made.status, made.reused_from) == ("succeeded", None)


class _Fails:
    """Workers whose every attempt is a defect."""

    async def execute(self, _: Work) -> Verdict:
        return Defect("defect", "ValueError", "", "")

    async def is_up(self, what: str, lane: Lane) -> bool:  # noqa: ARG002 - the port's
        raise AssertionError(what)


def test_a_unit_that_a_broken_file_ends_leaves_no_mark_of_its_start() -> None:
    """Marks tell how often the service died."""
    store = BadSectors()
    first = received(store)
    store.bad.add(attempts.key(first.event.subject, 1, "reader", 1))

    async def story() -> None:
        with pytest.raises(Unavailable):
            await Engine(platform_on(store, _Fails())).handle(first)

    virtual_time.run(story())
    assert store.keys("begun/") == []


class _Nobody:
    """Workers of which none starts for the first `times`, though one of them answers probes."""

    def __init__(self, store: MemoryStore, times: int) -> None:
        self._handle, self._left = toy.ports(store)["reader"].handle, times

    async def execute(self, work: Work) -> Verdict:
        if self._left:
            self._left -= 1
            return Down("worker", asked=False)
        return judge(self._handle, work)

    async def is_up(self, what: str, lane: Lane) -> bool:  # noqa: ARG002 - the port's
        return what == "worker"


def test_a_study_that_nobody_was_there_to_ask_is_not_blamed_and_rests_before_the_next_try() -> None:
    store = MemoryStore()
    first = received(store)

    async def story() -> float:
        await Engine(platform_on(store, _Nobody(store, times=30))).handle(first)
        return asyncio.get_running_loop().time()

    seconds = virtual_time.run(story())
    made = outcomes.read(store, first.event.subject, 1, "reader")
    assert made is not None
    assert (made.status, made.attempts) == ("succeeded", 1)
    assert 100 < seconds < 200
    assert store.keys("attempts/") == []


class _Aside(MemoryBus):
    """Keeps the codes under which events were set aside."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: list[str] = []

    async def unreadable(self, _: object, code: str) -> None:
        self.codes.append(code)


def _intake(store: BadSectors, jobs: int) -> tuple[Platform, _Aside, Consumer, Intake]:
    """The reader's, of a partition with as many jobs."""
    events = [toy.input_ready(store, manifest=f"{number}".encode()) for number in range(jobs)]
    records = [Record(PLACE.topic, 0, n, *encode(event)) for n, event in enumerate(events)]
    aside, consumer = _Aside(), Consumer(records)
    on = replace(platform_on(store), publisher=aside)
    return (
        on,
        aside,
        consumer,
        Intake(cast("Any", consumer), cast("Any", aside), Engine(on), on.watch, 4),
    )


def test_an_event_whose_file_is_broken_is_set_aside_and_its_partition_goes_on() -> None:
    store = BadSectors()
    store.bad.add(outcomes.key(toy.input_ready(store, manifest=b"2").subject, 1, "reader"))

    async def story() -> tuple[list[str], int, bool]:
        on, aside, consumer, intake = _intake(store, jobs=6)
        reading = asyncio.create_task(intake.run(toy.topics(), ("input-ready",)))
        await asyncio.sleep(120)
        reading.cancel()
        return aside.codes, consumer.committed, on.watch.halted

    assert virtual_time.run(story()) == (["store-failed"], 6, False)


def test_a_store_whose_every_file_is_broken_halts_the_service_instead_of_draining_its_topic() -> (
    None
):
    store = BadSectors()
    for number in range(80):
        job = toy.input_ready(store, manifest=f"{number}".encode()).subject
        store.bad.add(outcomes.key(job, 1, "reader"))

    async def story() -> tuple[int, bool]:
        on, aside, _, intake = _intake(store, jobs=80)
        reading = asyncio.create_task(intake.run(toy.topics(), ("input-ready",)))
        await asyncio.sleep(10_000)
        reading.cancel()
        return len(aside.codes), on.watch.halted

    aside, halted = virtual_time.run(story())
    assert halted
    assert 20 <= aside <= 24  # what was in work ends too
