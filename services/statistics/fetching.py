"""A fetch and a seek of Faust's consumer, one after the other (decision 12).

Faust 0.15.3 lets a fetch that it asked for before a rebalance go on after it, with a set of active
partitions that is empty by then; and to aiokafka, empty means all. So such a fetch takes changes of
the tables right after the recovery has sought their start, before they are let in: they are thrown
away, no later fetch brings them, and the recovery waits for them for ever.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from faust.transport.consumer import RecordMap
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP

from shared.bus.fetching import with_sessions

_REST_S = 0.5
"""Between two fetches: nobody waits for figures."""


class _Thread(AIOKafkaConsumerThread):
    """Faust's, with a consumer that fetches in sessions."""

    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer:
        return with_sessions(super()._create_worker_consumer(transport), _REST_S)


class OneAtATime(Consumer):
    """Seeks when no fetch is under way, and fetches only what is active."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._turn = asyncio.Lock()
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        async with self._turn:
            await super().seek_wait(partitions)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> RecordMap:
        async with self._turn:
            if not active_partitions:
                return {}
            return await super()._getmany(active_partitions, timeout)


class OneAtATimeTransport(Transport):
    """Faust's, with that consumer."""

    Consumer = OneAtATime
