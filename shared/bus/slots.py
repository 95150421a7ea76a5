"""Worker slots, given to the most urgent that waits, with aging so that nothing starves."""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from shared.events.models import Lane

_HANDICAP_S = {Lane.STAT: 0.0, Lane.ROUTINE: 600.0, Lane.BULK: 3600.0}
"""A waiter counts as having come this much later: bulk overtakes stat after an hour's wait."""


class Slots:
    """As many slots as there are workers; with two or more, one that bulk can't take."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._size = size
        self._waiting: list[tuple[float, int, Lane, asyncio.Future[None]]] = []
        self._order = count()

    @asynccontextmanager
    async def slot(self, lane: Lane) -> AsyncIterator[None]:
        """Wait for a slot, most urgent first."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        rank = loop.time() + _HANDICAP_S[lane]
        heapq.heappush(self._waiting, (rank, next(self._order), lane, turn))
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()
            raise
        try:
            yield
        finally:
            self._give_back()

    def _give_back(self) -> None:
        self._free += 1
        self._serve()

    def _serve(self) -> None:
        passed_over = []
        while self._waiting and self._free:
            waiter = heapq.heappop(self._waiting)
            _, _, lane, turn = waiter
            if turn.cancelled():
                continue
            if lane is Lane.BULK and self._size > 1 and self._free == 1:
                passed_over.append(waiter)
                continue
            self._free -= 1
            turn.set_result(None)
        for waiter in passed_over:
            heapq.heappush(self._waiting, waiter)
