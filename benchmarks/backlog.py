"""How a service drains a backlog: is the last tenth of it as fast as the first?"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from benchmarks import jobs
from benchmarks.instant_system import System, cpu_s, end, serve
from services.statistics import changelogs
from services.statistics.windows import Kept
from shared.catalog import load_service, load_topics

_LOOK_EVERY_S = 0.1
_STANDS_S = 300
_FEWEST = 12
"""Looks that a rate for each tenth needs."""

_STAGE = "reader"
_LONGER = 10
Count = Callable[[], Awaitable[float]]
"""How many events are done."""
Counting = Callable[[System], AbstractAsyncContextManager[Count]]


@dataclass(frozen=True)
class Look:
    """How far a service was at a moment."""

    at: float
    done: float
    cpu: float


def drain(system: System, count: int) -> dict[str, Any]:
    """Put up a backlog, and let each service drain it: rate and CPU for each tenth.

    One after the other, each alone with the broker; after the stage service the backlog is made
    longer for the two that would drain a tenth of it between two of their commits.
    """
    asyncio.run(jobs.all_at_once(system, range(count)))
    found = {_STAGE: _drained(system, _STAGE, _committed)}
    asyncio.run(jobs.all_at_once(system, range(count, _LONGER * count)))
    found["results"] = _drained(system, "results", _recorded)
    found["statistics"] = _drained(system, "statistics", _kept)
    return found


def _drained(system: System, name: str, counting: Counting) -> dict[str, Any]:
    looks = asyncio.run(_watched(system, name, counting))
    end(system, name)
    return deciles(looks)


async def _watched(system: System, name: str, counting: Counting) -> list[Look]:
    """Start it, and look until everything that lay there before is done."""
    async with counting(system) as count, asyncio.TaskGroup() as group:
        whole = await _whole(system, name)
        looks = [Look(time.monotonic(), 0, sum(cpu_s(system).values()))]
        group.create_task(asyncio.to_thread(serve, system, (name,)))  # it begins before it is ready
        while looks[-1].done < whole:
            await asyncio.sleep(_LOOK_EVERY_S)
            done = await count()
            if done > looks[-1].done:
                looks.append(Look(time.monotonic(), done, sum(cpu_s(system).values())))
            elif time.monotonic() > looks[-1].at + _STANDS_S:
                raise TimeoutError(f"{name} stands at {done} of {whole}")
    return looks


async def _whole(system: System, name: str) -> int:
    """Events on all topics that a service reads."""
    places = [
        TopicPartition(topic, number)
        for kind in load_service(name).consumes
        for topic in load_topics().names(kind)
        for number in range(load_topics().partitions)
    ]
    consumer = AIOKafkaConsumer(bootstrap_servers=system.kafka)
    await consumer.start()
    try:
        return sum((await consumer.end_offsets(places)).values())
    finally:
        await consumer.stop()


@asynccontextmanager
async def _committed(system: System) -> AsyncIterator[Count]:
    """Events that a stage service has done and committed."""
    admin = AIOKafkaAdminClient(bootstrap_servers=system.kafka)
    await admin.start()

    async def count() -> float:
        with suppress(GroupCoordinatorNotAvailableError):
            committed = await admin.list_consumer_group_offsets(_STAGE)
            return sum(max(0, int(offset.offset)) for offset in committed.values())
        return 0  # there is no group yet

    try:
        yield count
    finally:
        await admin.close()


@asynccontextmanager
async def _recorded(system: System) -> AsyncIterator[Count]:
    """Events in the ledger: each is a job or a stage. It commits too seldom to be seen by that."""
    address = f"file:{system.folder}/ledger.db?mode=ro"
    tables = ("SELECT COUNT(*) FROM jobs", "SELECT COUNT(*) FROM stages")

    async def count() -> float:
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(address, uri=True)) as db:
            return sum(int(db.execute(rows).fetchone()[0]) for rows in tables)
        return 0  # it is not made yet

    yield count


@asynccontextmanager
async def _kept(system: System) -> AsyncIterator[Count]:
    """Events before statistics' own positions: Faust's commits say nothing of what is kept."""
    kept, partitions = Kept(), load_topics().partitions
    await changelogs.create(system.kafka, partitions, replication=1)
    positions = changelogs.follow(
        system.kafka, changelogs.POSITIONS, partitions, kept, asyncio.Event()
    )
    following = asyncio.create_task(positions)

    async def count() -> float:
        return sum(kept.positions.values())

    try:
        yield count
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def deciles(looks: Sequence[Look]) -> dict[str, Any]:
    """Events per second and CPU ms per event of each tenth, and the last's rate by the first's.

    Counted from the first look that saw something done, since starting is no draining, to the last
    but one: the rest of a backlog may wait for what would fill its batch.
    """
    if len(looks) < _FEWEST:
        raise ValueError("drained before it could be seen: take a longer backlog")
    counted = looks[1:-1]
    first, last = counted[0], counted[-1]
    marks = [first.done + (last.done - first.done) * tenth / 10 for tenth in range(11)]
    points = [_at(counted, mark) for mark in marks]
    rates = [(b.done - a.done) / (b.at - a.at) for a, b in pairwise(points)]
    cpu = [1e3 * (b.cpu - a.cpu) / (b.done - a.done) for a, b in pairwise(points)]
    return {
        "events": int(looks[-1].done),
        "per_s": [round(rate, 1) for rate in rates],
        "cpu_ms": [round(used, 2) for used in cpu],
        "last_to_first": round(rates[-1] / rates[0], 2),
        "last_to_first_by_cpu": round(cpu[0] / cpu[-1], 2),
    }


def _at(looks: Sequence[Look], done: float) -> Look:
    """Between two looks, as if it had gone on evenly."""
    for before, after in pairwise(looks):
        if before.done <= done <= after.done:
            share = (done - before.done) / (after.done - before.done)
            return Look(
                before.at + share * (after.at - before.at),
                done,
                before.cpu + share * (after.cpu - before.cpu),
            )
    return looks[-1]
