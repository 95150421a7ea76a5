"""A producer that has lost count is replaced, by one that starts; its sender sends again."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)

from shared.bus.producing import Producer


class Counting:
    """As aiokafka's; `starts` and `sends` say what each is to raise, if anything."""

    def __init__(
        self,
        starts: KafkaError | None = None,
        sends: KafkaError | None = None,
        held: asyncio.Event | None = None,
    ) -> None:
        self._starts, self._sends = starts, sends
        self.sent: list[bytes] = []
        self.stopped = False
        self._held = held

    async def start(self) -> None:
        if self._starts:
            raise self._starts

    async def stop(self) -> None:
        if self._held:
            await self._held.wait()
        self.stopped = True

    async def send_and_wait(self, _: str, value: bytes, **__: Any) -> None:
        if self._sends:
            raise self._sends
        self.sent.append(value)


def producer_of(*several: Counting) -> Producer:
    """One that takes these, one after the other."""
    coming: Iterator[Counting] = iter(several)
    return Producer(lambda: cast("AIOKafkaProducer", next(coming)))


async def send(producer: Producer, value: bytes) -> None:
    await producer.send_and_wait("facts", value, key=None, partition=0, headers=())


@pytest.mark.parametrize("lost", [OutOfOrderSequenceNumber(), ProducerFenced()])
async def test_a_producer_that_has_lost_count_is_replaced_before_the_next_record(
    lost: KafkaError,
) -> None:
    first, second = Counting(sends=lost), Counting()
    producer = producer_of(first, second)

    with pytest.raises(type(lost)):
        await send(producer, b"one")
    await send(producer, b"one")
    await producer.stop()

    assert (first.stopped, second.sent) == (True, [b"one"])


async def test_nobody_waits_for_what_the_replaced_one_still_sends_until_all_stops() -> None:
    leader_is_back = asyncio.Event()
    first = Counting(sends=OutOfOrderSequenceNumber(), held=leader_is_back)
    second = Counting()
    producer = producer_of(first, second)

    async with asyncio.timeout(5):
        with pytest.raises(OutOfOrderSequenceNumber):
            await send(producer, b"one")
        await send(producer, b"one")
    assert (first.stopped, second.sent) == (False, [b"one"])

    leader_is_back.set()
    await producer.stop()
    assert (first.stopped, second.stopped) == (True, True)


async def test_one_that_does_not_start_replaces_none() -> None:
    lost = Counting(sends=OutOfOrderSequenceNumber())
    absent, back = Counting(starts=KafkaConnectionError()), Counting()
    producer = producer_of(lost, absent, back)

    for _ in range(2):
        with pytest.raises(KafkaError):
            await send(producer, b"one")
    await send(producer, b"one")

    assert (absent.stopped, back.stopped, back.sent) == (True, False, [b"one"])
    await producer.stop()
    assert (lost.stopped, back.stopped) == (True, True)


async def test_another_error_replaces_nothing() -> None:
    first = Counting(sends=KafkaConnectionError())
    producer = producer_of(first)

    with pytest.raises(KafkaConnectionError):
        await send(producer, b"one")

    assert not first.stopped
