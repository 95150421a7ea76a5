"""An event loop whose time passes only while nothing can happen: no test waits for a pause.

What would run in a thread beside the loop takes turns with it: one of them runs at a time, and
another only when that one pauses or ends. So calls meet in any order that a story wants, and in the
same order each time.
"""

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_MOST_AT_ONCE = 256


class _Skipping(selectors.SelectSelector):
    """Instead of waiting, moves the time on, unless somebody wants to know of it first."""

    now = 0.0
    when_idle: Callable[[], object] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.when_idle:
            tell, self.when_idle = self.when_idle, None
            tell()
            return []
        if timeout is None:  # another thread may still have a word
            ready = super().select(1)
            if not ready:
                raise RuntimeError("everybody waits, and for nothing that could happen")
            return ready
        self.now += timeout
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.skipping = _Skipping()
        super().__init__(self.skipping)
        self.calls = _InTurns(self)
        self.set_default_executor(self.calls)

    def time(self) -> float:
        return self.skipping.now


class _LoopIsOver(BaseException):
    """Nobody will ever let this call go on."""


class _InTurns(ThreadPoolExecutor):
    """Runs a call until it pauses or ends, while the loop stands still.

    For all that asks, the call runs where the loop does.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(_MOST_AT_ONCE)
        self._loop, self._over = loop, False
        self._back = threading.Semaphore(0)
        self._pausing: list[threading.Semaphore] = []

    def submit(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def run() -> None:
            asyncio._set_running_loop(self._loop)
            try:
                future.set_result(call(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)
            self._back.release()

        super().submit(run)
        self._back.acquire()
        return future

    def pause(self, until: Callable[[Callable[[], None]], object]) -> None:
        """Asked by a call: to go on when that is called which `until` is given."""
        turn = threading.Semaphore(0)
        self._pausing.append(turn)
        until(partial(self._go_on, turn))
        self._back.release()
        turn.acquire()
        if self._over:
            raise _LoopIsOver

    def _go_on(self, turn: threading.Semaphore) -> None:
        if turn in self._pausing:
            self._pausing.remove(turn)
            turn.release()
            self._back.acquire()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Asked of a thread by a loop that ends; whoever still pauses is let go."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)
        super().shutdown(wait, cancel_futures=cancel_futures)

    def _end(self) -> None:
        self._over = True
        while self._pausing:
            self._go_on(self._pausing[0])


def _loop() -> _Loop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _Loop)
    return loop


def pause(seconds: float) -> None:
    """In a call beside the loop: let others go on, so long."""
    loop = _loop()
    loop.calls.pause(partial(loop.call_later, seconds))


def halt(until: Callable[[Callable[[], None]], object]) -> None:
    """In a call beside the loop: let others go on, until that is called which `until` is given."""
    _loop().calls.pause(until)


async def until_idle() -> None:
    """Return when nobody can go on unless time passes, or somebody is let go on."""
    loop = _loop()
    idle = loop.create_future()
    loop.skipping.when_idle = partial(idle.set_result, None)
    await idle


def by_steps() -> asyncio.Runner:
    """For a story of many parts, each of which runs alone; between them the time stands still."""
    return asyncio.Runner(loop_factory=_Loop)


def clock() -> datetime:
    """The virtual time, as the bus reads it."""
    return _BEGINNING + timedelta(seconds=asyncio.get_running_loop().time())


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run to the end, however long it lasts, without waiting."""
    with by_steps() as runner:
        return runner.run(story)
