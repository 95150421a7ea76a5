"""Worker slots, given to the most urgent that waits, with aging so that nothing starves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count

from shared.events.models import Lane
from shared.lanes import HANDICAP


@dataclass(eq=False, frozen=True)
class _Waiter:
    came: float
    """To the slots. Its time in the topic is none of it: else a stat of now would stand behind a
    whole backlog, of routine that is older than ten minutes."""
    order: int
    lane_now: Callable[[], Lane]
    alone: bool
    turn: "asyncio.Future[Lane]"

    @property
    def rank(self) -> tuple[float, int]:
        return self.came + HANDICAP[self.lane_now()].total_seconds(), self.order


class Slots:
    """As many slots as there are workers; with two or more, one that bulk can't take.

    Who waits is ranked when a slot is given, by the lane that it has then.
    """

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._most_bulk = max(1, size - 1)
        self._bulk = 0
        self._waiting: list[_Waiter] = []
        self._order = count()
        self._closed = False
        self._all_free = asyncio.Event()

    @asynccontextmanager
    async def slot(
        self, lane_now: Callable[[], Lane], *, alone: bool = False, came: float | None = None
    ) -> AsyncIterator[None]:
        """Wait for a slot, most urgent first; `alone` waits until nothing else is in work.

        `came` is the loop's time when it came first, of who had a slot and could not use it.
        Bulk that must be alone is so among bulk: beside it the one slot is open that is never its.
        """
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Lane] = loop.create_future()
        since = loop.time() if came is None else came
        waiter = _Waiter(since, next(self._order), lane_now, alone, turn)
        self._waiting.append(waiter)
        self.serve()
        try:
            lane = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(waiter, turn.result())
            else:
                self._waiting.remove(waiter)
                self.serve()
            raise
        try:
            yield
        finally:
            self._give_back(waiter, lane)

    def serve(self) -> None:
        """Give what is free to who comes first now; to be called when a lane has changed."""
        if self._closed:
            return
        bulk_waits = False
        for waiter in sorted(self._waiting, key=lambda waiter: waiter.rank):
            lane = waiter.lane_now()
            if waiter.turn.done():
                continue  # cancelled, and about to leave
            if bulk_waits and (lane is Lane.BULK or self._free + self._bulk < self._size):
                continue
            if self._fits(waiter, lane):
                self._waiting.remove(waiter)
                self._take(waiter, lane)
                waiter.turn.set_result(lane)
            elif waiter.alone and lane is not Lane.BULK:
                return  # whoever stands behind would keep it from ever being alone
            elif waiter.alone:
                bulk_waits = True  # the same, but for the one slot that is never bulk's

    def _share(self, waiter: _Waiter, lane: Lane) -> int:
        """How many slots it takes: alone means all that its lane may have."""
        if not waiter.alone:
            return 1
        return self._most_bulk if lane is Lane.BULK else self._size

    def _fits(self, waiter: _Waiter, lane: Lane) -> bool:
        share = self._share(waiter, lane)
        if lane is Lane.BULK and self._bulk + share > self._most_bulk:
            return False
        return share <= self._free

    def _take(self, waiter: _Waiter, lane: Lane) -> None:
        share = self._share(waiter, lane)
        self._free -= share
        self._bulk += share if lane is Lane.BULK else 0

    def _give_back(self, waiter: _Waiter, lane: Lane) -> None:
        share = self._share(waiter, lane)
        self._free += share
        self._bulk -= share if lane is Lane.BULK else 0
        if self._closed and self._free == self._size:
            self._all_free.set()
        self.serve()

    async def close(self, within_s: float) -> None:
        """Give no slot any more, and return when all that are taken were given back."""
        self._closed = True
        if self._free < self._size:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_free.wait(), within_s)
