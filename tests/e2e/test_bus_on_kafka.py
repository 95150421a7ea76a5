"""The bus on a real broker, with real worker processes: jobs, and poison beside them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from shared.bus import outcomes
from shared.bus.kafka import group_consumer, read_facts, start_publisher
from shared.bus.received import Received
from shared.bus.topics import create
from shared.events.models import Lane, StageFailed
from shared.events.wire import Event
from shared.run import run
from shared.settings import Settings
from shared.store.open import open_store
from shared.testing import toy, toy_services

pytestmark = pytest.mark.e2e
KINDS = ("measurement-ready", "stage-failed")


class Home:
    """A store, a broker, and everything that was said on it."""

    def __init__(self, broker: str, folder: Path) -> None:
        self.settings = Settings(
            kafka=broker, store=f"file:{folder}/payloads", deadline_s=2, memory_mb=1024
        )
        self.store = open_store(self.settings.store)
        self.heard: list[Received] = []
        self._more = asyncio.Event()

    async def hear(self, batch: Sequence[Received]) -> None:
        self.heard += batch
        self._more.set()

    async def publish(self, event: Event, lane: Lane = Lane.ROUTINE) -> None:
        publisher, producer = await start_publisher(self.settings.kafka, "test")
        await publisher.publish(event, lane, 2)
        await producer.stop()

    async def of(self, job: str) -> Event:
        """The event that ends a job of the toy pipeline."""
        async with asyncio.timeout(60):
            while True:
                for received in self.heard:
                    if received.event.subject == job:
                        return received.event
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def _services(home: Home) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(
            run(service, toy.topics(), home.settings, partial(toy_services.build, name))
        )
        for name, service in toy.CATALOG.items()
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _listening(home: Home) -> AsyncIterator[None]:
    publisher, producer = await start_publisher(home.settings.kafka, "test")
    consumer = group_consumer(home.settings.kafka, "listener", "1")
    await consumer.start()
    task = asyncio.create_task(read_facts(consumer, publisher, toy.topics(), KINDS, home.hear))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()
        await producer.stop()


async def test_jobs_and_poison_go_side_by_side(broker: str, tmp_path: Path) -> None:
    await create(broker, toy.topics())
    home = Home(broker, tmp_path)
    poison = {
        name: toy.input_ready(home.store, manifest=name) for name in (b"crash", b"hang", b"memory")
    }
    good = [toy.input_ready(home.store, manifest=f"good {n}".encode()) for n in range(5)]
    for event in (*poison.values(), *good):
        await home.publish(event)
    async with _listening(home), _services(home):
        for event in good:
            assert (await home.of(event.subject)).kind == "measurement-ready"
        codes = {}
        for name, event in poison.items():
            failure = (await home.of(event.subject)).data
            assert isinstance(failure, StageFailed)
            codes[name] = (failure.reasons[0].code, failure.attempts)
    assert codes == {
        b"crash": ("worker-died", 3),
        b"hang": ("deadline-exceeded", 3),
        b"memory": ("out-of-memory", 3),
    }
    outcome = outcomes.read(home.store, good[0].subject, 1, "both")
    assert outcome is not None
    result = home.store.get(outcome.payloads["both.measurement"])
    assert result == b"good 0 read l + good 0 read r"
