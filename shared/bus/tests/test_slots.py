"""Who goes first."""

import asyncio

from shared.bus.slots import Slots
from shared.events.models import Lane


async def _in_order(slots: Slots, lanes: list[Lane]) -> list[Lane]:
    served: list[Lane] = []

    async def work(lane: Lane) -> None:
        async with slots.slot(lane):
            served.append(lane)
            await asyncio.sleep(0)

    async with slots.slot(Lane.STAT):
        tasks = [asyncio.create_task(work(lane)) for lane in lanes]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return served


async def test_stat_goes_before_routine_before_bulk() -> None:
    order = await _in_order(Slots(1), [Lane.BULK, Lane.ROUTINE, Lane.STAT])
    assert order == [Lane.STAT, Lane.ROUTINE, Lane.BULK]


async def test_bulk_leaves_one_of_several_slots_free() -> None:
    slots = Slots(2)
    async with slots.slot(Lane.BULK):
        second = asyncio.create_task(_in_order(slots, []))
        bulk = asyncio.create_task(anext(aiter(_bulk(slots))))
        await second
        assert not bulk.done()
    await bulk


async def _bulk(slots: Slots):  # type: ignore[no-untyped-def]
    async with slots.slot(Lane.BULK):
        yield True
