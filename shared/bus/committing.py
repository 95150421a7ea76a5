"""Commits what is done a moment later: what ends close together is one request to the broker."""

import asyncio
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.bus.offsets import Offsets
from shared.telemetry.logs import logger

_GATHERED_FOR_S = 0.5
_AGAIN_AFTER_S = 1.0
_LAST_S = 3.0


class Committer:
    """Commits the positions of `offsets` for one consumer.

    What is done and not yet committed when a process dies comes again, and is answered from what
    was kept: an outcome, a row.
    """

    def __init__(self, consumer: AIOKafkaConsumer, offsets: Offsets) -> None:
        self._consumer, self._offsets = consumer, offsets
        self._moved = asyncio.Event()

    def moved(self) -> None:
        """A position has moved."""
        self._moved.set()

    async def run(self) -> None:
        """Commit until cancelled; what was lost is tried again."""
        while True:
            await self._moved.wait()
            await asyncio.sleep(_GATHERED_FOR_S)
            self._moved.clear()
            if not await self.now():
                await asyncio.sleep(_AGAIN_AFTER_S)
                self._moved.set()

    async def last(self) -> None:
        """Commit before the consumer stops; a broker that is gone keeps nobody."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.now(), _LAST_S)

    async def now(self) -> bool:
        """Commit what is still assigned here; whether the broker has taken it.

        What is not is forgotten: were it assigned here again, somebody else has been further.
        """
        positions = self._offsets.to_commit()
        assigned = self._consumer.assignment()
        ends = {TopicPartition(*place): end for place, end in positions.items()}
        held = {place: end for place, end in ends.items() if place in assigned}
        self._offsets.lost({(place.topic, place.partition) for place in ends.keys() - held.keys()})
        if not held:
            return True
        try:
            await self._consumer.commit(held)
        except KafkaError as error:
            logger().warning("commit lost", error=type(error).__name__)
            return False
        self._offsets.committed({(place.topic, place.partition): held[place] for place in held})
        return True
