"""Warm worker processes: a crash, a hang or an exhausted memory costs one worker, one attempt."""

import asyncio
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shared.bus.execution import Defect, Down, Verdict
from shared.bus.slots import for_bulk
from shared.bus.work import Work
from shared.bus.worker import NotAsked, Recipe, Worker, WorkerLost
from shared.events.models import Lane
from shared.telemetry.logs import logger, place_of_error

_START_S = 120.0
_PROBE_S = 10.0
_GRACE_S = 3.0
_UNTIL_GONE_S = 0.5
"""A fork server that was killed is missed only when the system has put it away."""
_OWN = "worker"
"""What is down when no worker can be started; any worker that answers is its probe."""


class DependencyDown(WorkerLost):
    """A worker could not build its ports, because something does not answer, or not even start."""

    def __init__(self, what: str, detail: str) -> None:
        super().__init__("dependency-down", detail)
        self.what = what


class WorkerPool:
    """A worker for each slot: those of bulk begin with its first work. See `Slots`.

    Each dead one is replaced before it is asked.
    """

    def __init__(self, recipe: Recipe, size: int, deadline_s: float) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(recipe.preload))
        self._recipe, self._size, self._deadline_s = recipe, size, deadline_s
        sizes = {False: size, True: for_bulk(size)}
        self._free = {bulk: asyncio.Semaphore(count) for bulk, count in sizes.items()}
        self._idle: dict[bool, list[Worker]] = {False: [], True: []}

    async def start(self) -> None:
        """Start `size` workers. Raises `DependencyDown` when one can't build its ports."""
        self._idle[False] += await asyncio.gather(*(self._hire() for _ in range(self._size)))

    async def _start(self) -> Worker:
        """A new process, which does not hold its ports yet.

        The second try has a new fork server, where that was killed. A system without memory or
        descriptors for a process is an outage: it says nothing of any study.
        """
        for _ in range(2):
            try:
                return await asyncio.to_thread(Worker, self._context, self._recipe)
            except (OSError, EOFError) as error:
                logger().error("worker not started", **place_of_error(error))
                await asyncio.sleep(_UNTIL_GONE_S)
        raise DependencyDown(_OWN, "the system starts no process")

    async def _hire(self) -> Worker:
        """A worker with its ports. One that is lost while it builds them has met no study."""
        worker = await self._start()
        try:
            failure = await worker.ask(None, _START_S)
        except WorkerLost as lost:
            failure = f"{lost.code}: {lost}"
        if failure is None:
            return worker
        await asyncio.to_thread(worker.end)
        if isinstance(failure, Down):
            raise DependencyDown(failure.what, failure.what)
        logger().error("worker not started", detail=failure)
        raise DependencyDown(_OWN, failure)

    async def execute(self, work: Work) -> Verdict:
        """Run the handler in a worker; one that is lost at it is the study's defect."""
        try:
            deadline_s = min(self._deadline_s, work.deadline_s or self._deadline_s)
            verdict: Verdict = await self._ask(work, deadline_s, work.lane is Lane.BULK)
        except DependencyDown as outage:
            return Down(outage.what, asked=False)
        except WorkerLost as lost:
            return Defect(lost.code, "WorkerLost", work.stage, str(lost))
        return verdict

    async def is_up(self, what: str, lane: Lane) -> bool:
        """Whether the probe of the dependency succeeds in a worker of the lane.

        Bulk that gets no worker asks another's: that it alone has none is no outage of anything.
        """
        bulk = lane is Lane.BULK
        try:
            try:
                return bool(await self._ask(what, _PROBE_S, bulk))
            except DependencyDown as outage:
                if outage.what != _OWN or not bulk:
                    raise
                return bool(await self._ask(what, _PROBE_S, bulk=False))
        except WorkerLost:
            return False

    async def _ask(self, question: Work | str, deadline_s: float, bulk: bool) -> Any:
        async with self._free[bulk]:
            worker = self._idle[bulk].pop() if self._idle[bulk] else None
            try:
                if worker and not worker.alive:
                    await asyncio.to_thread(worker.end)
                    worker = None
                worker = worker or await self._hire()
                try:
                    answer = await self._put(worker, question, deadline_s, bulk)
                except NotAsked:
                    await asyncio.to_thread(worker.end)
                    worker = await self._hire()
                    answer = await self._put(worker, question, deadline_s, bulk)
            except BaseException as error:
                if worker:
                    await asyncio.to_thread(worker.end)
                if isinstance(error, WorkerLost):
                    logger().error("worker lost", code=error.code)
                raise
            self._idle[bulk].append(worker)
            return answer

    async def _put(
        self, worker: Worker, question: Work | str, deadline_s: float, bulk: bool
    ) -> Any:
        if bulk:
            worker.give_way()
        return await worker.ask(question, deadline_s)

    def stop(self) -> None:
        """End every idle worker, all at once: each may take its grace."""
        idle = [worker for workers in self._idle.values() for worker in workers]
        with ThreadPoolExecutor() as ending:
            list(ending.map(lambda worker: worker.end(_GRACE_S), idle))
