"""Looks at all that is open again and again: how often, and what the clocks said."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from shared.clock import Clock
from shared.errors import Unavailable
from shared.resting import rest
from shared.telemetry.logs import logger

_JUMP_S = 60.0
_EVERY_S = 5.0


@dataclass(frozen=True)
class Watch:
    """Since when somebody looks, and what the clocks said at the last look."""

    since: datetime
    clock: datetime
    steady_s: float
    """Of a clock that nobody sets."""

    def again(self, clock: datetime, steady_s: float) -> "Watch":
        """The next look. A clock that has jumped begins the watch anew.

        By the new time everything that runs would be late, or not for an hour; and a machine that
        slept has looked at nothing.
        """
        passed = (clock - self.clock).total_seconds()
        jumped = abs(passed - (steady_s - self.steady_s)) > _JUMP_S
        return Watch(clock if jumped else self.since, clock, steady_s)


async def keep_looking(
    clock: Clock, watching_since: datetime, look: Callable[[datetime], Awaitable[None]]
) -> None:
    """Look until cancelled; `look` is told since when somebody looks.

    It raises `Unavailable` for an outage, which is no end; how long it waited then says nothing.
    """
    watch = Watch(watching_since, clock(), time.monotonic())
    took = 0.0
    while True:
        await asyncio.sleep(rest(took, _EVERY_S))
        watch = watch.again(clock(), time.monotonic())
        try:
            await look(watch.since)
            took = time.monotonic() - watch.steady_s
        except Unavailable as outage:
            logger().warning("waiting", what=outage.what)
            took = 0.0
