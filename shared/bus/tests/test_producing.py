"""A producer that has lost count is replaced, by one that starts; its sender sends again."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, OutOfOrderSequenceNumber

from shared.bus.producing import Producer


class Counting:
    """As aiokafka's; `starts` and `sends` say what each is to raise, if anything."""

    def __init__(self, starts: KafkaError | None = None, sends: KafkaError | None = None) -> None:
        self._starts, self._sends = starts, sends
        self.sent: list[bytes] = []
        self.stopped = False

    async def start(self) -> None:
        if self._starts:
            raise self._starts

    async def stop(self) -> None:
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


async def test_a_producer_that_has_lost_count_is_replaced_before_the_next_record() -> None:
    first, second = Counting(sends=OutOfOrderSequenceNumber()), Counting()
    producer = producer_of(first, second)

    with pytest.raises(OutOfOrderSequenceNumber):
        await send(producer, b"one")
    await send(producer, b"one")

    assert (first.stopped, second.sent) == (True, [b"one"])


async def test_one_that_does_not_start_replaces_none() -> None:
    lost = Counting(sends=OutOfOrderSequenceNumber())
    absent, back = Counting(starts=KafkaConnectionError()), Counting()
    producer = producer_of(lost, absent, back)

    for _ in range(2):
        with pytest.raises(KafkaError):
            await send(producer, b"one")
    await send(producer, b"one")

    assert [each.stopped for each in (lost, absent, back)] == [True, True, False]
    assert back.sent == [b"one"]


async def test_another_error_replaces_nothing() -> None:
    first = Counting(sends=KafkaConnectionError())
    producer = producer_of(first)

    with pytest.raises(KafkaConnectionError):
        await send(producer, b"one")

    assert not first.stopped
