"""Faust's consumer over a thread of its own that answers when it is told to."""

import asyncio
from collections.abc import Mapping
from typing import Any

import faust
import pytest
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from services.statistics.fetching import OneAtATime, OneAtATimeTransport

PLACE = TP("facts", 0)


class Thread:
    """Notes what is asked of Kafka; a fetch ends when `answer` is set."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = asyncio.Event()

    async def getmany(self, active_partitions: set[TP], timeout: float) -> dict[TP, list[Any]]:
        self.asked.append(f"fetch of {len(active_partitions)} for {timeout:g} s")
        await self.answer.wait()
        self.asked.append("fetched")
        return {PLACE: []}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        self.asked.append(f"seek of {len(partitions)}")


@pytest.fixture
def thread() -> Thread:
    return Thread()


@pytest.fixture
def consumer(thread: Thread) -> OneAtATime:
    class OverThread(OneAtATime):
        def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
            made = super()._new_consumer_thread()
            made.getmany = thread.getmany  # type: ignore[assignment]
            made.seek_wait = thread.seek_wait  # type: ignore[method-assign]
            return made

    class OverThreadTransport(OneAtATimeTransport):
        Consumer = OverThread

    app = faust.App("statistics", broker="kafka://127.0.0.1:1", store="memory://")
    app.transport = OverThreadTransport(app.conf.broker_consumer, app)
    assert isinstance(app.consumer, OneAtATime)
    return app.consumer


async def test_a_seek_waits_for_the_end_of_the_fetch(thread: Thread, consumer: OneAtATime) -> None:
    fetch = asyncio.create_task(consumer._getmany({PLACE}, 1))
    seek = asyncio.create_task(consumer.seek_wait({PLACE: 0}))
    while not thread.asked:
        await asyncio.sleep(0)
    thread.answer.set()
    await asyncio.gather(fetch, seek)
    assert thread.asked == ["fetch of 1 for 1 s", "fetched", "seek of 1"]


async def test_nothing_is_fetched_while_nothing_is_active(
    thread: Thread, consumer: OneAtATime
) -> None:
    assert await consumer._getmany(set(), 1) == {}
    assert thread.asked == []
