"""An idempotent producer that begins anew when the broker has lost count of its records.

Kafka numbers a producer's records. aiokafka gives up one that has waited too long when a partition
has no leader, as in the first moments of a broker that comes back, and that one's number with it:
everything behind the gap is refused then for as long as that producer lives. Whoever publishes
sends again what was refused; the id of a fact tells a copy.
"""

import asyncio
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)

from shared.telemetry.logs import logger

_COUNT_LOST = (
    OutOfOrderSequenceNumber,
    UnknownProducerId,
    InvalidProducerEpoch,
    ProducerFenced,  # what aiokafka makes of an InvalidProducerEpoch
)


class Producer:
    """aiokafka's, replaced by a new one that `make` gives when it can't go on."""

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        self._make = make
        self._now = make()
        self._replacing = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def client(self) -> AIOKafkaClient:
        return self._now.client

    async def start(self) -> None:
        """Raises `KafkaError` when the broker does not answer."""
        await self._now.start()

    async def stop(self) -> None:
        """Send what is left, and that of each producer that was replaced."""
        await asyncio.gather(self._now.stop(), *self._leaving)

    async def send_and_wait(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None,
        partition: int | None,
        headers: Sequence[tuple[str, bytes]],
    ) -> None:
        """Raises `KafkaError`: then it is to be sent again, by a new producer if need be."""
        used = self._now
        try:
            await used.send_and_wait(
                topic, value, key=key, partition=partition, headers=list(headers)
            )
        except _COUNT_LOST:
            await self._replace(used)
            raise

    async def _replace(self, used: AIOKafkaProducer) -> None:
        async with self._replacing:
            if self._now is not used:
                return
            new = self._make()
            try:
                await new.start()
            except KafkaError:
                await new.stop()
                raise
            self._now = new
        logger().warning("producer replaced")
        leaving = asyncio.create_task(_put_away(used))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)


async def _put_away(used: AIOKafkaProducer) -> None:
    """It still sends what other partitions are due, as long as that takes: nobody waits for it."""
    try:
        await used.stop()
    except KafkaError as error:
        logger().warning("replaced producer not stopped", error=type(error).__name__)
