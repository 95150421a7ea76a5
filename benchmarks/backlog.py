"""How a service drains a backlog: is the last tenth of it as fast as the first?"""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from benchmarks import jobs
from benchmarks.instant_system import System, cpu_s, end, serve
from shared.catalog import load_service, load_topics

_LOOK_EVERY_S = 0.25
_STANDS_S = 300
_FEWEST = 12
"""Looks that a rate for each tenth needs."""
_LEDGER = "results"
_DRAINED = ("reader", _LEDGER)
"""A stage service, and the ledger: one after the other, each alone with the broker."""


@dataclass(frozen=True)
class Look:
    """How far a service was at a moment."""

    at: float
    done: float
    cpu: float


def drain(system: System, count: int) -> dict[str, Any]:
    """Put up a backlog, and let each service drain it: rate and CPU for each tenth."""
    asyncio.run(jobs.all_at_once(system, count))
    found = {}
    for name in _DRAINED:
        serve(system, (name,))
        found[name] = deciles(asyncio.run(_watched(system, name)))
        end(system, name)
    return found


async def _watched(system: System, name: str) -> list[Look]:
    """Look until everything that lay there at the start is done and committed, or in the ledger."""
    topics = [topic for kind in load_service(name).consumes for topic in load_topics().names(kind)]
    admin = AIOKafkaAdminClient(bootstrap_servers=system.kafka)
    consumer = AIOKafkaConsumer(bootstrap_servers=system.kafka)
    await asyncio.gather(admin.start(), consumer.start())
    try:
        places = [
            TopicPartition(topic, number)
            for topic in topics
            for number in range(load_topics().partitions)
        ]
        whole = sum((await consumer.end_offsets(places)).values())
        looks = [Look(time.monotonic(), 0, sum(cpu_s(system).values()))]
        while looks[-1].done < whole:
            await asyncio.sleep(_LOOK_EVERY_S)
            if name == _LEDGER:
                done = _recorded(system)
            else:
                committed = await admin.list_consumer_group_offsets(name)
                done = sum(max(0, offset.offset) for offset in committed.values())
            if done > looks[-1].done:
                looks.append(Look(time.monotonic(), done, sum(cpu_s(system).values())))
            elif time.monotonic() > looks[-1].at + _STANDS_S:
                raise TimeoutError(f"{name} stands at {done} of {whole}")
        return looks
    finally:
        await asyncio.gather(admin.close(), consumer.stop())


def _recorded(system: System) -> int:
    """Events in the ledger: each is a job or a stage. It commits too seldom to be seen by that."""
    with closing(sqlite3.connect(f"file:{system.folder}/ledger.db?mode=ro", uri=True)) as ledger:
        tables = ("SELECT COUNT(*) FROM jobs", "SELECT COUNT(*) FROM stages")
        return sum(int(ledger.execute(count).fetchone()[0]) for count in tables)


def deciles(looks: Sequence[Look]) -> dict[str, Any]:
    """Events per second and CPU ms per event of each tenth, and the last's rate by the first's.

    Counted from the first look that saw something done: starting is no draining.
    """
    if len(looks) < _FEWEST:
        raise ValueError("drained before it could be seen: take a longer backlog")
    first, last = looks[1], looks[-1]
    marks = [first.done + (last.done - first.done) * tenth / 10 for tenth in range(11)]
    points = [_at(looks[1:], mark) for mark in marks]
    rates = [(b.done - a.done) / (b.at - a.at) for a, b in pairwise(points)]
    cpu = [1e3 * (b.cpu - a.cpu) / (b.done - a.done) for a, b in pairwise(points)]
    return {
        "events": int(last.done),
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
