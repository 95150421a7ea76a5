"""What holds for work that is already queued: the compacted control topic, read whole."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from shared.events.models import JobControl, Lane


class Stopped(Exception):
    """The run was cancelled or superseded while its work was queued."""


class Control:
    """The newest control of each job, as every replica knows it."""

    def __init__(self) -> None:
        self._newest: dict[str, JobControl] = {}
        self._listeners: list[Callable[[], None]] = []

    def apply(self, control: JobControl) -> None:
        """The newest control of a job replaces the earlier one whole."""
        self._newest[control.job_id] = control
        for listener in tuple(self._listeners):
            listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call the listener after every control that comes."""
        self._listeners.append(listener)

    def stopped(self, job_id: str, run: int) -> bool:
        """The run was cancelled, or its job superseded."""
        control = self._newest.get(job_id)
        if control is None:
            return False
        return control.superseded_by is not None or run <= (control.cancelled_to_run or 0)

    def lane(self, job_id: str, lane: Lane) -> Lane:
        """The lane that the job has now."""
        control = self._newest.get(job_id)
        return control.lane if control and control.lane else lane

    @asynccontextmanager
    async def while_wanted(self, job_id: str, run: int) -> AsyncIterator[None]:
        """Raise `Stopped` out of what is awaited here, as soon as the run is stopped."""
        loop = asyncio.get_running_loop()
        if self.stopped(job_id, run):
            raise Stopped
        try:
            async with asyncio.timeout(None) as scope:

                def look() -> None:
                    if self.stopped(job_id, run) and not scope.expired():
                        scope.reschedule(loop.time())

                self._listeners.append(look)
                try:
                    yield
                finally:
                    self._listeners.remove(look)
                if self.stopped(job_id, run):
                    raise Stopped
        except TimeoutError:
            if scope.expired():
                raise Stopped from None
            raise
