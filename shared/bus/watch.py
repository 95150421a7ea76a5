"""Whether a service may take in work: what is down, what has failed too often, and since when."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.telemetry.logs import logger

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


class Watch:
    """Intake stops while a dependency is down, or for good when failures burst."""

    def __init__(self, clock: Clock, burst: int = 20, window_s: float = 300) -> None:
        self._clock = clock
        self._burst = burst
        self._window = timedelta(seconds=window_s)
        self._failures: deque[datetime] = deque()
        self._down: dict[str, asyncio.Event] = {}
        self._halted = False

    @property
    def open(self) -> bool:
        """Whether new work may be taken in."""
        return not self._down and not self._halted

    def why_not(self) -> tuple[str, ...]:
        """What keeps the service from working, in words for /health."""
        down = tuple(f"{what} does not answer" for what in sorted(self._down))
        halted = ("halted after a burst of failures: see `clarion failures list`, then restart it",)
        return down + (halted if self._halted else ())

    def failed(self) -> None:
        """A unit of work was given up; refused inputs are not counted."""
        now = self._clock()
        self._failures.append(now)
        while self._failures and self._failures[0] < now - self._window:
            self._failures.popleft()
        if len(self._failures) >= self._burst and not self._halted:
            self._halted = True
            logger().error("halted", failures=len(self._failures))

    async def until_up(self, what: str, is_up: Callable[[], Awaitable[bool]]) -> None:
        """Return when the dependency answers its probe; one prober for all that wait."""
        if what in self._down:
            await self._down[what].wait()
            return
        back = self._down[what] = asyncio.Event()
        logger().warning("dependency down", what=what)
        pause = _FIRST_PAUSE_S
        try:
            while not await is_up():
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
        finally:
            del self._down[what]
            back.set()
        logger().info("dependency back", what=what)

    async def all_up(self) -> None:
        """Return when nothing is known to be down."""
        while self._down:
            await next(iter(self._down.values())).wait()


class Broker:
    """Whether the broker answers, as /health tells it."""

    def __init__(self) -> None:
        self._answers = True

    def tell(self, answers: bool) -> None:
        """What the last question came to."""
        if answers != self._answers:
            logger().warning("kafka is back" if answers else "kafka does not answer")
        self._answers = answers

    def why_not(self) -> tuple[str, ...]:
        """Empty while it answers."""
        return () if self._answers else ("kafka does not answer",)
