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


def for_bulk(size: int) -> int:
    """How many slots bulk has for itself, beside `size` of the other lanes."""
    return max(1, size - 1)


class Slots:
    """`size` slots that bulk never takes, and its own beside them, which nothing else takes.

    Who waits is ranked when a slot is given, by the lane that it has then.
    """

    def __init__(self, size: int) -> None:
        self._size = {False: size, True: for_bulk(size)}
        """Of the lanes that are not bulk, and of bulk."""
        self._taken = {False: 0, True: 0}
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
        Bulk that must be alone is so among bulk: the slots of the other lanes stay open.
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
            if waiter.turn.done() or (bulk_waits and lane is Lane.BULK):
                continue  # cancelled, and about to leave; or it would keep bulk from being alone
            if self._fits(waiter, lane):
                self._waiting.remove(waiter)
                self._take(waiter, lane)
                waiter.turn.set_result(lane)
            elif waiter.alone and lane is not Lane.BULK:
                return  # whoever stands behind would keep it from ever being alone
            elif waiter.alone:
                bulk_waits = True

    def _share(self, waiter: _Waiter, lane: Lane) -> dict[bool, int]:
        """How many slots of either kind it takes: alone means all that are not kept from it."""
        is_bulk = lane is Lane.BULK
        if not waiter.alone:
            return {is_bulk: 1}
        return {True: self._size[True]} if is_bulk else self._size

    def _fits(self, waiter: _Waiter, lane: Lane) -> bool:
        share = self._share(waiter, lane).items()
        return all(self._taken[kind] + count <= self._size[kind] for kind, count in share)

    def _take(self, waiter: _Waiter, lane: Lane) -> None:
        for kind, share in self._share(waiter, lane).items():
            self._taken[kind] += share

    def _give_back(self, waiter: _Waiter, lane: Lane) -> None:
        for kind, share in self._share(waiter, lane).items():
            self._taken[kind] -= share
        if self._closed and not any(self._taken.values()):
            self._all_free.set()
        self.serve()

    async def close(self, within_s: float) -> None:
        """Give no slot any more, and return when all that are taken were given back."""
        self._closed = True
        if any(self._taken.values()):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_free.wait(), within_s)
