"""A fetch and a seek of Faust's consumer, one after the other (decision 12).

Faust 0.15.3 lets a fetch that it asked for before a rebalance go on after it, with a set of active
partitions that is empty by then; and to aiokafka, empty means all. So such a fetch takes changes of
the tables right after the recovery has sought their start, before they are let in: they are thrown
away, no later fetch brings them, and the recovery waits for them for ever.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from faust.transport.consumer import RecordMap
from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP


class OneAtATime(Consumer):
    """Seeks when no fetch is under way, and fetches only what is active."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._turn = asyncio.Lock()
        super().__init__(*args, **kwargs)

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
