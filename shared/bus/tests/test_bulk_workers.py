"""The workers that bulk has for itself, and whom it lets go first."""

import asyncio
import select
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

from shared.bus.execution import Done, Down
from shared.bus.tests.pools import (
    PLAIN,
    no_descriptor,
    open_process,
    pool_of,
    tell_process,
    telling,
)
from shared.bus.work import Ports, Produced, Work
from shared.bus.workers import WorkerPool
from shared.events.models import Lane
from shared.giving_way import let_others_first, under_way
from shared.settings import Settings
from shared.store.memory import MemoryStore
from shared.testing.work import work_for


async def _told(pool: WorkerPool, lane: Lane) -> Mapping[str, int]:
    """What the worker says that does work of this lane."""
    work = replace(work_for("left", MemoryStore(), {}, definition=PLAIN), lane=lane)
    done = await pool.execute(work)
    assert isinstance(done, Done)
    return done.produced.facts


async def _told_by(pool: WorkerPool, *lanes: Lane) -> list[Mapping[str, int]]:
    """One after the other."""
    return [await _told(pool, lane) for lane in lanes]


async def test_bulk_gives_way_and_keeps_the_worker_that_did_bulk_before() -> None:
    async with pool_of(telling, size=2) as pool:
        stat, bulk, again, routine = await _told_by(
            pool, Lane.STAT, Lane.BULK, Lane.BULK, Lane.ROUTINE
        )
    assert [told["courtesy"] for told in (stat, routine)] == [0, 0]
    assert bulk["courtesy"] == again["courtesy"] > 0
    assert bulk["pid"] == again["pid"]


async def test_bulk_has_workers_of_its_own_and_takes_none_from_other_work() -> None:
    async with pool_of(telling, size=2) as pool:
        before = await asyncio.gather(_told(pool, Lane.STAT), _told(pool, Lane.ROUTINE))
        bulk = await _told(pool, Lane.BULK)
        after = await asyncio.gather(_told(pool, Lane.STAT), _told(pool, Lane.ROUTINE))
        again = await _told(pool, Lane.BULK)
    pids = [{told["pid"] for told in asked} for asked in (before, after)]
    assert pids[0] == pids[1]
    assert bulk["pid"] == again["pid"]
    assert {told["courtesy"] for told in (*before, *after)} == {0}


def _answer_at_once() -> None:
    """What is asked is up."""


def _work_slowly(work: Work) -> Produced:
    if work.lane is not Lane.BULK:
        threading.Event().wait(3)
    return tell_process(work)


def slow(_: Settings) -> Ports:
    """Workers that work for three seconds where it is not bulk."""
    return Ports(_work_slowly, {"triton": _answer_at_once})


async def test_bulk_asks_its_own_worker_what_is_up_and_waits_for_no_other() -> None:
    async with pool_of(slow) as pool:
        await _told(pool, Lane.BULK)
        busy = asyncio.create_task(_told(pool, Lane.STAT))
        await asyncio.sleep(0)
        assert await pool.is_up("triton", Lane.BULK)
        assert not busy.done()
        await busy


async def test_bulk_that_is_elsewhere_lets_the_work_of_a_worker_go_first() -> None:
    async with pool_of(slow) as pool:
        busy = asyncio.create_task(_told(pool, Lane.STAT))
        await asyncio.sleep(0.5)
        began = time.monotonic()
        with under_way(Lane.BULK):
            await asyncio.to_thread(let_others_first)
        assert time.monotonic() - began > 1
        await busy


async def test_bulk_that_gets_no_worker_waits_and_holds_up_nobody() -> None:
    async with pool_of(telling) as pool:
        await _told(pool, Lane.STAT)
        bulk = replace(work_for("left", MemoryStore(), {}, definition=PLAIN), lane=Lane.BULK)
        with no_descriptor():
            down = await pool.execute(bulk)
            assert down == Down("worker", asked=False)
            assert await pool.is_up(down.what, Lane.BULK)
            assert await pool.is_up("triton", Lane.BULK)
        assert isinstance(await pool.execute(bulk), Done)


async def test_a_stop_ends_the_workers_of_every_lane() -> None:
    with ExitStack() as opened:
        async with pool_of(telling) as pool:
            told = await _told_by(pool, Lane.STAT, Lane.BULK)
            workers = [opened.enter_context(open_process(each["pid"])) for each in told]
        ended, *_ = select.select(workers, [], [], 0)
    assert len(ended) == 2


async def test_with_one_slot_too_bulk_leaves_the_other_worker_as_it_was() -> None:
    async with pool_of(telling) as pool:
        stat, bulk, again = await _told_by(pool, Lane.STAT, Lane.BULK, Lane.STAT)
    assert bulk["courtesy"] > 0 == stat["courtesy"]
    assert stat["pid"] == again["pid"]
