"""Keeps a queue of bulk studies in a system, for a benchmark of urgent ones."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Self

from benchmarks.hospital import Hospital
from clarion.load.studies import Study
from shared.events.models import Lane


class Feeder:
    """Sends bulk studies as long as fewer than wanted are queued.

    So many as are made `ahead` are only sent once the queue is full: making them is the work of a
    scanner, which stands elsewhere.
    """

    def __init__(self, system: Hospital, wanted: int, ahead: int) -> None:
        self._system, self._wanted = system, wanted
        self._ahead, self._ready = ahead, list[Study]()
        self._margin = max(2, wanted // 10)
        self._stack = AsyncExitStack()
        self.full = asyncio.Event()
        self.least = wanted
        self.now = time.monotonic

    async def __aenter__(self) -> Self:
        for _ in range(self._ahead):
            self._ready.append(await asyncio.to_thread(self._system.made))
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        feeding = group.create_task(self._feed())
        self._stack.callback(feeding.cancel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _feed(self) -> None:
        """What is sent and not yet announced counts as queued, or else too many would be sent."""
        sent = self._system.heard.ended(Lane.BULK)
        while True:
            queued = self._system.heard.queued(Lane.BULK)
            if self.full.is_set():
                self.least = min(self.least, queued)
            elif queued >= self._wanted + self._margin:
                self.full.set()
                self.least = queued
            if sent - self._system.heard.ended(Lane.BULK) < self._wanted + 2 * self._margin:
                await asyncio.to_thread(self._system.send, await self._study(), Lane.BULK)
                sent += 1
            else:
                await asyncio.sleep(0.1)

    async def _study(self) -> Study:
        if self.full.is_set() and self._ready:
            return self._ready.pop()
        return await asyncio.to_thread(self._system.made)
