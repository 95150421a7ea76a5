"""Gathers the events that Faust brings, and has them kept together once a second.

Kept alone, each would wait for two acknowledgements, and cost as much as forty kept together.
Faust counts an event as done that is only gathered: what is lost here lies after its topic's
position, and is read from Kafka when the next event comes, or when its topic is found to stand
(`tending`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from aiokafka.errors import KafkaError

from services.statistics.keeping import Record
from shared.telemetry.logs import logger

_EVERY_S = 1.0
_MOST = 500
"""So many events are not waited for: Faust gets no further until they are kept."""


class Gathering:
    """What has come since it was last kept. `owns` says whether a record's partition is ours."""

    def __init__(
        self,
        keep: Callable[[Sequence[Record]], Awaitable[None]],
        owns: Callable[[Record], bool],
    ) -> None:
        self._keep, self._owns = keep, owns
        self._waiting: list[Record] = []

    async def add(self, record: Record) -> None:
        """Have a record kept with the others."""
        self._waiting.append(record)
        if len(self._waiting) >= _MOST:
            await self.now()

    async def now(self) -> None:
        """Keep what has come, of the partitions that are still this replica's."""
        waiting, self._waiting = self._waiting, []
        records = [record for record in waiting if self._owns(record)]
        if not records:
            return
        try:
            await self._keep(records)
        except (KafkaError, OSError) as error:
            logger().warning("kafka does not answer", error=type(error).__name__)

    async def run(self) -> None:
        """Keep what has come once a second, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.now()
