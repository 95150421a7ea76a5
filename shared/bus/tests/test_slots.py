"""Who goes first."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from shared.bus.slots import Slots
from shared.bus.tests import virtual_time
from shared.events.models import Lane


async def _in_order(slots: Slots, lanes: list[Lane]) -> list[Lane]:
    served: list[Lane] = []

    async def work(lane: Lane) -> None:
        async with slots.slot(lambda: lane):
            served.append(lane)
            await asyncio.sleep(0)

    async with slots.slot(lambda: Lane.STAT):
        tasks = [asyncio.create_task(work(lane)) for lane in lanes]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return served


async def test_stat_goes_before_routine() -> None:
    order = await _in_order(Slots(1), [Lane.ROUTINE, Lane.STAT])
    assert order == [Lane.STAT, Lane.ROUTINE]


@pytest.mark.parametrize(("size", "of_bulk"), [(1, 1), (2, 1), (4, 3)])
async def test_bulk_has_slots_of_its_own_and_takes_no_others(size: int, of_bulk: int) -> None:
    slots = Slots(size)
    async with AsyncExitStack() as held:
        for _ in range(of_bulk):
            await held.enter_async_context(slots.slot(lambda: Lane.BULK))
        bulk = asyncio.create_task(_served(slots, lambda: Lane.BULK))
        for _ in range(size):
            await held.enter_async_context(slots.slot(lambda: Lane.ROUTINE))
        routine = asyncio.create_task(_served(slots, lambda: Lane.ROUTINE))
        await asyncio.sleep(0)
        assert not bulk.done()
        assert not routine.done()
    await asyncio.gather(bulk, routine)


async def _served(slots: Slots, lane_now: Callable[[], Lane]) -> None:
    async with slots.slot(lane_now):
        return


def test_work_that_became_urgent_takes_a_slot_that_bulk_may_not() -> None:
    async def story() -> None:
        slots, lanes = Slots(2), [Lane.BULK]
        async with slots.slot(lambda: Lane.BULK):
            queued = asyncio.create_task(_served(slots, lambda: lanes[0]))
            await asyncio.sleep(1)
            assert not queued.done()
            lanes[0] = Lane.STAT
            slots.serve()
            await queued

    virtual_time.run(story())


async def _waited_beside_stat_work(slots: Slots, *, alone: bool) -> float:
    """How long routine waits for its slot (s), while stat work of a minute comes every 25 s."""
    loop = asyncio.get_running_loop()

    async def stat() -> None:
        async with slots.slot(lambda: Lane.STAT):
            await asyncio.sleep(60)

    async def stream() -> None:
        while True:
            tasks.append(asyncio.create_task(stat()))
            await asyncio.sleep(25)

    tasks: list[asyncio.Task[None]] = []
    flood = asyncio.create_task(stream())
    await asyncio.sleep(1000)
    came = loop.time()
    async with asyncio.timeout(10_000), slots.slot(lambda: Lane.ROUTINE, alone=alone):
        waited = loop.time() - came
    for task in (flood, *tasks):
        task.cancel()
    await asyncio.gather(flood, *tasks, return_exceptions=True)
    return waited


def test_routine_goes_before_the_stat_work_that_comes_ten_minutes_later() -> None:
    more_than_two_can_do = _waited_beside_stat_work(Slots(2), alone=False)
    waited = virtual_time.run(more_than_two_can_do)
    assert 600 <= waited < 1200  # stat itself is served late by then


def test_who_gave_a_slot_back_at_once_is_as_old_as_before_when_it_comes_again() -> None:
    """As a suspect does that has a slot and finds the turn taken."""

    async def story() -> float:
        slots, loop = Slots(1), asyncio.get_running_loop()

        async def stat() -> None:
            while True:
                async with slots.slot(lambda: Lane.STAT):
                    await asyncio.sleep(30)

        stream = [asyncio.create_task(stat()) for _ in range(2)]
        await asyncio.sleep(1)
        came = loop.time()
        async with slots.slot(lambda: Lane.ROUTINE, came=came):
            first = loop.time()
        async with slots.slot(lambda: Lane.ROUTINE, came=came):
            again = loop.time() - first
        for task in stream:
            task.cancel()
        return again

    assert virtual_time.run(story()) <= 60


def test_who_must_be_alone_waits_for_all_and_lets_nobody_beside_it() -> None:
    async def story() -> list[str]:
        slots, said = Slots(2), list[str]()

        async def work(name: str, *, alone: bool) -> None:
            async with slots.slot(lambda: Lane.ROUTINE, alone=alone):
                said.append(f"{name} begins")
                await asyncio.sleep(1)
                said.append(f"{name} ends")

        async with asyncio.TaskGroup() as group:
            for name, alone in (("one", False), ("suspect", True), ("two", False)):
                group.create_task(work(name, alone=alone))
        return said

    assert virtual_time.run(story()) == [
        "one begins", "one ends", "suspect begins", "suspect ends", "two begins", "two ends",
    ]  # fmt: skip


def test_bulk_that_must_be_alone_leaves_open_the_slots_that_are_never_bulks() -> None:
    async def story() -> list[str]:
        slots, said = Slots(3), list[str]()

        async def work(name: str, lane: Lane, *, alone: bool = False) -> None:
            async with slots.slot(lambda: lane, alone=alone):
                said.append(f"{name} begins")
                await asyncio.sleep(300)
                said.append(f"{name} ends")

        async with asyncio.TaskGroup() as group:
            group.create_task(work("bulk", Lane.BULK))
            group.create_task(work("bulk suspect", Lane.BULK, alone=True))
            group.create_task(work("later bulk", Lane.BULK))
            await asyncio.sleep(310)
            group.create_task(work("stat", Lane.STAT))
            group.create_task(work("later stat", Lane.STAT))
        return said

    assert virtual_time.run(story()) == [
        "bulk begins", "bulk ends",
        "bulk suspect begins", "stat begins", "later stat begins", "bulk suspect ends",
        "later bulk begins", "stat ends", "later stat ends", "later bulk ends",
    ]  # fmt: skip


def test_what_is_younger_takes_no_slot_that_who_waits_to_be_alone_needs() -> None:
    never_all_free = _waited_beside_stat_work(Slots(3), alone=True)
    assert 600 <= virtual_time.run(never_all_free) < 700


def test_who_must_be_alone_is_so_without_bulk_beside_it() -> None:
    async def story() -> float:
        slots, loop = Slots(2), asyncio.get_running_loop()

        async def bulk() -> None:
            async with slots.slot(lambda: Lane.BULK):
                await asyncio.sleep(100)

        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(bulk())
            await asyncio.sleep(1)
            async with slots.slot(lambda: Lane.STAT, alone=True):
                return loop.time()

    assert virtual_time.run(story()) == 100


@pytest.mark.parametrize("lane", [Lane.STAT, Lane.BULK])
async def test_a_close_waits_for_what_is_in_work_and_lets_nothing_else_begin(lane: Lane) -> None:
    slots = Slots(1)
    async with slots.slot(lambda: lane):
        queued = asyncio.create_task(_served(slots, lambda: lane))
        closing = asyncio.create_task(slots.close(60))
        await asyncio.sleep(0)
        assert not closing.done()
    await closing
    assert not queued.done()
    queued.cancel()


async def test_a_close_of_slots_that_nobody_holds_is_at_once() -> None:
    slots = Slots(2)
    await asyncio.wait_for(slots.close(60), 5)
