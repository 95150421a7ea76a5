"""Who is to blame when Triton goes down, and who only stood beside it."""

import asyncio
from collections.abc import Callable

import pytest

from shared.bus.suspects import Turn
from shared.bus.tests import virtual_time
from shared.bus.tests.away import Away, turn_on
from shared.bus.tests.outages import House, Triton
from shared.events.models import Lane
from shared.store.memory import MemoryStore

WELL = dict.fromkeys(("reader", "left", "right", "both"), ("succeeded", 1))


def test_a_study_that_crashes_triton_takes_no_study_of_another_service_with_it() -> None:
    async def story() -> tuple[dict[str, tuple[str, int]], dict[str, tuple[str, int]], list[str]]:
        jobs = dict[str, str]()
        triton = Triton(lambda work: work.job_id == jobs.get("bad"))
        house = House(triton)
        jobs["good"] = await house.begin(b"good")
        await asyncio.sleep(7)  # its reader is done, its markers are in their calls
        jobs["bad"] = await house.begin(b"bad")
        await house.settle()
        return house.ended(jobs["bad"]), house.ended(jobs["good"]), triton.in_vain

    bad, good, in_vain = virtual_time.run(story())
    assert bad == {"reader": ("failed", 3)}
    assert good == WELL
    assert in_vain == []


def test_nor_does_one_whose_triton_is_back_before_anybody_asks() -> None:
    async def story() -> tuple[dict[str, tuple[str, int]], dict[str, tuple[str, int]]]:
        jobs = dict[str, str]()
        house = House(Triton(lambda work: work.job_id == jobs.get("bad"), outage_s=0))
        jobs["good"] = await house.begin(b"good")
        await asyncio.sleep(7)
        jobs["bad"] = await house.begin(b"bad")
        await house.settle()
        return house.ended(jobs["bad"]), house.ended(jobs["good"])

    bad, good = virtual_time.run(story())
    assert bad == {"reader": ("failed", 3)}
    assert {status for status, _ in good.values()} == {"succeeded"}


def test_who_waits_for_a_slot_begins_no_call_when_it_comes_free_by_an_outage() -> None:
    async def story() -> tuple[dict[str, tuple[str, int]], list[str]]:
        crashes = iter([True])
        triton = Triton(lambda work: work.stage == "left" and next(crashes, False))
        house = House(triton, workers=1)
        job = await house.begin(b"good")
        await house.settle()
        return house.ended(job), triton.in_vain

    ended, in_vain = virtual_time.run(story())
    assert ended == WELL
    assert in_vain == []


def test_outages_that_befall_whoever_is_in_a_call_are_shared_by_those_who_take_turns() -> None:
    async def story() -> dict[str, tuple[str, int]]:
        triton = Triton(lambda _: False)

        async def flap() -> None:
            for _ in range(4):
                triton.called.clear()
                await triton.called.wait()
                await asyncio.sleep(2)
                triton.go_down()
                await asyncio.sleep(8)

        house = House(triton)
        job = await house.begin(b"good")
        await asyncio.sleep(5)  # the next calls are of both markers
        flapping = asyncio.create_task(flap())
        await house.settle()
        await flapping
        return house.ended(job)

    assert {status for status, _ in virtual_time.run(story()).values()} == {"succeeded"}


async def _waited(turn: Turn, lane: Lane = Lane.ROUTINE) -> float:
    """Seconds until it had the turn, for a moment."""
    began = asyncio.get_running_loop().time()
    while True:
        await turn.until_free(lambda: lane)
        async with turn.taken() as taken:
            if taken:
                return asyncio.get_running_loop().time() - began


def test_a_turn_is_held_by_one_as_long_as_it_lasts_and_leaves_nothing() -> None:
    async def story() -> tuple[bool, float, list[str]]:
        store = MemoryStore()
        async with turn_on(store).taken():
            async with turn_on(store).taken() as second:
                pass
            waiting = asyncio.create_task(_waited(turn_on(store)))
            await asyncio.sleep(300)
        return second, await waiting, store.keys("suspects/")

    second, waited, left = virtual_time.run(story())
    assert not second
    assert 300 <= waited <= 301
    assert left == []


class _Slow(MemoryStore):
    """Whoever creates something does so late: others have done `meanwhile` before it."""

    meanwhile: Callable[[], object] | None = None

    def create(self, key: str, data: bytes) -> bool:
        if self.meanwhile:
            act, self.meanwhile = self.meanwhile, None
            act()
        return super().create(key, data)


def _taken_at_once(turn: Turn) -> bool:
    """By whoever looks and creates without a pause."""
    turn._own = b"who was faster"
    return turn._take()


@pytest.mark.parametrize("renewed", [0, 1])
def test_of_two_who_see_that_it_is_free_one_has_it(renewed: int) -> None:
    """Also when the number that the slower one creates is free again."""

    async def story() -> tuple[bool, list[str]]:
        store = _Slow()
        faster = turn_on(store)

        def meanwhile() -> None:
            assert _taken_at_once(faster)
            for _ in range(renewed):
                faster._next()

        store.meanwhile = meanwhile
        async with turn_on(store).taken() as taken:
            pass
        return taken, store.keys("suspects/")

    assert virtual_time.run(story()) == (False, [f"suspects/{1 + renewed}"])


def test_who_has_it_again_is_not_taken_for_who_had_it_long_ago() -> None:
    async def story() -> bool:
        store = MemoryStore()
        holder, other = turn_on(store), turn_on(store)
        async with holder.taken():
            assert not other._is_free()
        await asyncio.sleep(120)
        async with holder.taken():
            return other._is_free()

    assert not virtual_time.run(story())


def test_an_outage_of_the_store_in_which_nobody_can_renew_it_ends_noturn_on() -> None:
    async def story() -> float:
        store = Away()
        async with turn_on(store).taken():
            waiting = asyncio.create_task(_waited(turn_on(store)))
            await asyncio.sleep(8)
            store.down = True
            await asyncio.sleep(40)
            store.down = False
            await asyncio.sleep(60)
        return await waiting

    assert 108 <= virtual_time.run(story()) <= 109


def test_a_renewal_whose_answer_was_lost_is_none_the_less_one() -> None:
    async def story() -> float:
        store = Away()
        async with turn_on(store).taken():
            waiting = asyncio.create_task(_waited(turn_on(store)))
            store.deaf = True
            await asyncio.sleep(6)
            store.deaf = False
            await asyncio.sleep(60)
        return await waiting

    assert 66 <= virtual_time.run(story()) <= 67


def test_who_is_cancelled_while_it_takes_the_turn_leaves_nothing() -> None:
    async def story() -> list[str]:
        store = Away()
        store.pause_s = 1.0

        async def take() -> None:
            async with turn_on(store).taken():
                await asyncio.sleep(60)

        for moment in (0.5, 1.5, 2.5, 3.5, 10.5, 11.5, 12.5):
            task = asyncio.create_task(take())
            await asyncio.sleep(moment)
            task.cancel()
            await asyncio.wait([task])
        store.pause_s = 0.0
        return store.keys("suspects/")

    assert virtual_time.run(story()) == []


def test_the_turn_of_a_service_that_died_is_taken_over() -> None:
    async def story() -> float:
        store = MemoryStore()
        store.create("suspects/4", b"somebody who is gone")
        return await _waited(turn_on(store))

    assert 30 <= virtual_time.run(story()) <= 31


def test_one_that_stood_still_and_lost_its_turn_gives_back_nobody_elses() -> None:
    async def story() -> list[str]:
        store = MemoryStore()
        async with turn_on(store).taken():
            for key in store.keys("suspects/"):
                store.delete(key)
            store.create("suspects/2", b"who took it over")
            await asyncio.sleep(60)
        return store.keys("suspects/")

    assert virtual_time.run(story()) == ["suspects/2"]


def test_stat_is_mostly_the_first_to_see_that_the_turn_is_free() -> None:
    async def story() -> list[Lane]:
        store, order = MemoryStore(), list[Lane]()

        async def wait(lane: Lane) -> None:
            await _waited(turn_on(store), lane)
            order.append(lane)

        async with asyncio.TaskGroup() as group, turn_on(store).taken():
            for lane in (Lane.BULK, Lane.ROUTINE, Lane.STAT):
                group.create_task(wait(lane))
            await asyncio.sleep(8.05)
        return order

    assert virtual_time.run(story()) == [Lane.STAT, Lane.ROUTINE, Lane.BULK]
