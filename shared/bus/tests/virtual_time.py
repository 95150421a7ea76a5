"""An event loop whose time passes only while nothing can happen: no test waits for a pause."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class _Skipping(selectors.SelectSelector):
    """Instead of waiting, moves the time on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:  # another thread may still have a word
            ready = super().select(1)
            if not ready:
                raise RuntimeError("everybody waits, and for nothing that could happen")
            return ready
        self.now += timeout
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)
        self.set_default_executor(_InPlace())

    def time(self) -> float:
        return self._skipping.now


class _InPlace(ThreadPoolExecutor):
    """Runs at once what would run in a thread, so that the order is always the same."""

    def submit(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(call(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


def clock() -> datetime:
    """The virtual time, as the bus reads it."""
    return _BEGINNING + timedelta(seconds=asyncio.get_running_loop().time())


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run to the end, however long it lasts, without waiting."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(story)
