"""The three rounds of a replica; none waits for another, so figures go on where Kafka is away."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from aiokafka.errors import KafkaError

from services.statistics.backlog import Reading
from services.statistics.tumbling import settled
from services.statistics.watching import Watching
from shared.bus.received import Publisher, publish_if_it_fits
from shared.clock import Clock
from shared.resting import rest

_READ_S = 30.0


class Lags(Protocol):
    """Who asks Kafka how far everybody is."""

    async def read(self, own: Mapping[tuple[str, int], int]) -> Reading: ...


class Memory(Protocol):
    """Who remembers, beyond a restart, until when windows are published."""

    async def told(self, until: float) -> None: ...


async def measure(watching: Watching, lags: Lags, clock: Clock, every_s: float) -> None:
    """Ask how far everybody is, until cancelled. What Kafka does not answer is asked again."""
    while True:
        asked_at = clock()
        with suppress(KafkaError, OSError):  # a TimeoutError too
            async with asyncio.timeout(_READ_S):
                watching.measured(await lags.read(watching.kept.positions), asked_at)
        await asyncio.sleep(every_s)


async def look(watching: Watching, clock: Clock, every_s: float) -> None:
    """Make snapshots until cancelled, more rarely where so much is kept that one takes long."""
    while True:
        began = time.monotonic()
        watching.look(clock())
        await asyncio.sleep(rest(time.monotonic() - began, every_s))


async def tell(
    watching: Watching,
    publisher: Publisher,
    memory: Memory,
    is_first: Callable[[], bool],
    every_s: float,
) -> None:
    """Publish until cancelled what there is to tell, while `is_first` among the replicas."""
    while True:
        if is_first():
            for event in watching.news():
                await publish_if_it_fits(publisher, event, None, 0)
            await _tell_ended(watching, publisher, memory)
        await asyncio.sleep(every_s)


async def _tell_ended(watching: Watching, publisher: Publisher, memory: Memory) -> None:
    if watching.known.until is None:
        return
    until = settled(watching.known.until)
    for event in watching.ended(until):
        await publish_if_it_fits(publisher, event, None, 0)
    await memory.told(until)
