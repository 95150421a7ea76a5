"""What an engine stands on, and how it waits for the store."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import ParamSpec, TypeVar

from shared.bus.control import Control
from shared.bus.execution import Executor
from shared.bus.received import Publisher
from shared.bus.slots import Slots
from shared.bus.watch import Watch, pauses
from shared.catalog import Service, Topics
from shared.clock import Clock
from shared.errors import Unavailable
from shared.store.port import PayloadStore

P = ParamSpec("P")
R = TypeVar("R")

_IN_VAIN = 10
"""So often, over half a minute, may a call fail while the store's own probe succeeds."""


@dataclass(frozen=True)
class Platform:
    """What an engine stands on."""

    service: Service
    topics: Topics
    store: PayloadStore
    executor: Executor
    publisher: Publisher
    control: Control
    slots: Slots
    watch: Watch
    clock: Clock
    backoff_s: tuple[float, ...] = (1.0, 15.0)
    """Before the second and the third attempt; the longer outlasts a shortage of memory."""

    async def patiently(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the store; wait while it is down. Who is cancelled waits for a call's end.

        Raises `Unavailable` when the call fails time and again while the store is up: one of its
        files is broken, and no outage that will end.
        """
        rests = islice(pauses(), _IN_VAIN)
        while True:
            try:
                return await to_its_end(call, *args, **kwargs)
            except Unavailable as outage:
                if not await self.watch.until_up(outage.what, self._store_is_up):
                    rests = islice(pauses(), _IN_VAIN)
                    continue
                rest = next(rests, None)
                if rest is None:
                    raise
            await asyncio.sleep(rest)

    async def _store_is_up(self) -> bool:
        try:
            await asyncio.to_thread(self.store.probe)
        except Unavailable:
            return False
        return True


async def to_its_end(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call in a thread, and wait for its end even when cancelled.

    A thread goes on by itself: what it still does would come after whatever undoes it.
    """
    inside = partial(copy_context().run, call, *args, **kwargs)
    thread = asyncio.get_running_loop().run_in_executor(None, inside)
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.gather(thread, return_exceptions=True)
        raise
