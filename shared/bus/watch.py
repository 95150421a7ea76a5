"""Whether a service may take in work: what is down, what has failed too often, and since when."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.telemetry.logs import logger, place_of_error

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_HALTED = (
    "halted after a burst of failures: see `clarion failures list`, then `clarion failures resume`"
)


def pauses() -> Iterator[float]:
    """Seconds between two questions to what did not answer: each twice the last, 5 s at most."""
    pause = _FIRST_PAUSE_S
    while True:
        yield pause
        pause = min(pause * 2, _LONGEST_PAUSE_S)


class Watch:
    """Intake stops while a dependency is down, and from a burst of failures until a resume."""

    def __init__(self, clock: Clock, burst: int = 20, window_s: float = 300) -> None:
        self._clock = clock
        self._burst = burst
        self._window = timedelta(seconds=window_s)
        self._failures: deque[datetime] = deque()
        self._in_a_row: Counter[str] = Counter()
        self._down: dict[str, asyncio.Task[bool]] = {}
        self._going = asyncio.Event()
        self._going.set()

    @property
    def open(self) -> bool:
        """Whether new work may be taken in."""
        return not self._down and not self.halted

    @property
    def halted(self) -> bool:
        """Whether a burst of failures has stopped the service, until somebody resumes it."""
        return not self._going.is_set()

    def why_not(self) -> tuple[str, ...]:
        """What keeps the service from working, in words for /health."""
        down = tuple(f"{what} does not answer" for what in sorted(self._down))
        return down + ((_HALTED,) if self.halted else ())

    def failed(self, stage: str) -> None:
        """A unit of work was given up; refused inputs are not counted.

        So many within the window halt the service, and as many of one stage in a row, however
        long each took.
        """
        now = self._clock()
        self._in_a_row[stage] += 1
        self._failures.append(now)
        while self._failures and self._failures[0] < now - self._window:
            self._failures.popleft()
        failures = max(len(self._failures), self._in_a_row[stage])
        if failures >= self._burst and not self.halted:
            self._going.clear()
            logger().error("halted", failures=failures)

    def succeeded(self, stage: str) -> None:
        """A unit of work was done; a refused input tells nothing of those that are accepted."""
        self._in_a_row[stage] = 0

    def resume(self) -> bool:
        """Take in work again after a burst; failures count anew. Whether it was halted."""
        was_halted = self.halted
        if was_halted:
            self._failures.clear()
            self._in_a_row.clear()
            self._going.set()
            logger().warning("resumed")
        return was_halted

    def went_down(self, what: str, is_up: Callable[[], Awaitable[bool]]) -> None:
        """From now on, until it answers its probe; one prober for all that wait."""
        if what not in self._down:
            self._down[what] = asyncio.create_task(self._probe(what, is_up))

    async def until_up(self, what: str, is_up: Callable[[], Awaitable[bool]]) -> bool:
        """Return when the dependency answers its probe; whether it did so at once."""
        self.went_down(what, is_up)
        prober = self._down[what]
        return await asyncio.shield(prober)  # who is cancelled leaves the others theirs

    async def _probe(self, what: str, is_up: Callable[[], Awaitable[bool]]) -> bool:
        rests = pauses()
        try:
            if await _answers(what, is_up):
                return True
            logger().warning("dependency down", what=what)
            await asyncio.sleep(next(rests))
            while not await _answers(what, is_up):
                await asyncio.sleep(next(rests))
        finally:
            del self._down[what]
        logger().info("dependency back", what=what)
        return False

    async def until_open(self) -> None:
        """Return when nothing is known to be down, and no burst of failures has halted work."""
        while not self.open:
            await asyncio.wait(self._down.values()) if self._down else await self._going.wait()


async def _answers(what: str, is_up: Callable[[], Awaitable[bool]]) -> bool:
    """A probe that fails tells of no dependency that is up: who waits for it shall wait."""
    try:
        return await is_up()
    except Exception as error:
        logger().error("probe failed", what=what, **place_of_error(error))
        return False


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
