"""Warm worker processes: a crash, a hang or an exhausted memory costs one worker, one attempt."""

import asyncio
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from shared.bus import courtesy
from shared.bus.deadline import Deadline
from shared.bus.execution import Defect, Down, Verdict, judge
from shared.bus.work import Ports, Work
from shared.errors import Unavailable
from shared.events.models import Lane
from shared.settings import Settings
from shared.telemetry import logs, tracing
from shared.telemetry.logs import logger, place_of_error

_START_S = 120.0
_PROBE_S = 10.0
_GRACE_S = 3.0
_STEP_S = 0.5
_UNTIL_GONE_S = 0.5
"""A fork server that was killed is missed only when the system has put it away."""
_OWN = "worker"
"""What is down when no worker can be started; any worker that answers is its probe."""


@dataclass(frozen=True)
class Recipe:
    """How a worker process comes to hold its ports."""

    service: str
    settings: Settings
    build: Callable[[Any], Ports]
    memory_mb: int
    preload: tuple[str, ...] = ()
    """Modules that are imported once, in the server from which workers are forked."""


class WorkerLost(Exception):
    """The process ended, or did not answer in time."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class NotAsked(WorkerLost):
    """The process was gone before the question reached it."""

    def __init__(self) -> None:
        super().__init__("worker-gone", "it ended before it was asked")


class DependencyDown(WorkerLost):
    """A worker could not build its ports, or not even start, because something does not answer."""

    def __init__(self, what: str) -> None:
        super().__init__("dependency-down", what)
        self.what = what


class Worker:
    """One process and the pipe to it; answers one question at a time."""

    def __init__(self, context: ForkServerContext, recipe: Recipe) -> None:
        """Raises `OSError` or `EOFError` when the system starts no process now."""
        self._pipe, theirs = context.Pipe()
        self._process: ForkServerProcess = context.Process(
            target=_serve, args=(theirs, recipe), daemon=True
        )
        with theirs:
            try:
                self._process.start()
                self._handle = os.pidfd_open(self._pid)
            except BaseException:
                self._pipe.close()
                raise
        self.gives_way = False

    @property
    def _pid(self) -> int:
        return self._process.pid or 0

    def give_way(self) -> None:
        """Let it be courteous to other processes from now on."""
        if not self.gives_way:
            self.gives_way = True
            courtesy.give_way(self._pid)

    async def ask(self, question: Work | str | None, deadline_s: float) -> Any:
        """Its answer. Raises `WorkerLost`, after which the worker is to be replaced."""
        if question is not None:
            self._send(question)
        try:
            if not await self._answers_within(deadline_s):
                raise WorkerLost("deadline-exceeded", f"no answer within {deadline_s:g} s")
            return self._pipe.recv()
        except ConnectionResetError:  # what the system says when the question was never read
            raise NotAsked from None
        except (EOFError, OSError):
            self._process.join(1)
            raise WorkerLost("worker-died", f"exit code {self._process.exitcode}") from None

    def _send(self, question: Work | str) -> None:
        try:
            self._pipe.send(question)
        except OSError:
            raise NotAsked from None

    async def _answers_within(self, deadline_s: float) -> bool:
        """Whether an answer comes in time, not counting time in which one of both stood still.

        A worker that gets no processor is not late for that (see `Deadline`). And who was stopped
        for an hour, and perhaps its worker with it, wakes with every deadline gone by: a step of
        the wait counts for no more than it was meant to last.
        """
        deadline = Deadline(deadline_s, lambda: courtesy.waits(self._pid))
        while deadline.left_s > 0:
            step = min(deadline.left_s, _STEP_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._readable(), step)
                return True
            deadline.spend(step)
        return self._pipe.poll()

    async def _readable(self) -> None:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._pipe.fileno(), ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._pipe.fileno())

    @property
    def alive(self) -> bool:
        """Whether the process is there; one that died while idle blames no study."""
        return self._process.is_alive()

    def end(self, grace_s: float = 0) -> None:
        """End the process: by itself within the grace, which lets it put things away, or now."""
        if self._pipe.closed:  # it was ended
            return
        self._pipe.close()
        self._process.join(grace_s)
        with suppress(ProcessLookupError):  # `Process` takes who lost its fork server for dead
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        os.close(self._handle)
        self._process.join(5)


class WorkerPool:
    """As many workers as there are slots; each dead one is replaced before its slot is used."""

    def __init__(self, recipe: Recipe, size: int, deadline_s: float) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(recipe.preload))
        self._recipe, self._size, self._deadline_s = recipe, size, deadline_s
        self._idle: asyncio.LifoQueue[Worker | None] = asyncio.LifoQueue()

    async def start(self) -> None:
        """Start all workers; raises `WorkerLost` when one can't build its ports."""
        for worker in await asyncio.gather(*(self._hire() for _ in range(self._size))):
            self._idle.put_nowait(worker)

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
        raise DependencyDown(_OWN)

    async def _hire(self) -> Worker:
        worker = await self._start()
        try:
            failure = await worker.ask(None, _START_S)
        except WorkerLost:
            worker.end()
            raise
        if isinstance(failure, Down):
            worker.end()
            raise DependencyDown(failure.what)
        if failure:
            worker.end()
            raise WorkerLost("not-started", failure)
        return worker

    async def execute(self, work: Work) -> Verdict:
        """Run the handler in a worker; a lost worker is the study's defect."""
        try:
            deadline_s = min(self._deadline_s, work.deadline_s or self._deadline_s)
            verdict: Verdict = await self._ask(work, deadline_s)
        except DependencyDown as outage:
            return Down(outage.what)
        except WorkerLost as lost:
            return Defect(lost.code, "WorkerLost", work.stage, str(lost))
        return verdict

    async def is_up(self, what: str) -> bool:
        """Whether a worker's probe of the dependency succeeds."""
        try:
            return bool(await self._ask(what, _PROBE_S))
        except WorkerLost:
            return False

    async def _choose(self, courteous: bool | None) -> Worker | None:
        """An idle worker; if there is one, then one that is as courteous as is wanted."""
        idle = [await self._idle.get()]
        idle += [self._idle.get_nowait() for _ in range(self._idle.qsize())]
        chosen = next((each for each in idle if each and each.gives_way is courteous), idle[0])
        idle.remove(chosen)
        for each in reversed(idle):
            self._idle.put_nowait(each)
        return chosen

    async def _ask(self, question: Work | str, deadline_s: float) -> Any:
        courteous = question.lane is Lane.BULK if isinstance(question, Work) else None
        worker = await self._choose(courteous)
        try:
            if worker and (not worker.alive or (worker.gives_way and courteous is False)):
                await asyncio.to_thread(worker.end)
                worker = None
            worker = worker or await self._hire()
            try:
                answer = await self._put(worker, question, deadline_s, courteous)
            except NotAsked:
                await asyncio.to_thread(worker.end)
                worker = await self._hire()
                answer = await self._put(worker, question, deadline_s, courteous)
        except BaseException as error:
            if worker:
                await asyncio.to_thread(worker.end)
            self._idle.put_nowait(None)
            if isinstance(error, WorkerLost):
                logger().error("worker lost", code=error.code)
            raise
        self._idle.put_nowait(worker)
        return answer

    async def _put(
        self, worker: Worker, question: Work | str, deadline_s: float, courteous: bool | None
    ) -> Any:
        if courteous:
            worker.give_way()
        return await worker.ask(question, deadline_s)

    def stop(self) -> None:
        """End every idle worker."""
        while not self._idle.empty():
            worker = self._idle.get_nowait()
            if worker:
                worker.end(_GRACE_S)


def _serve(pipe: Connection, recipe: Recipe) -> None:
    """The worker process: build the ports once, then answer until the pipe closes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit = recipe.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    logs.configure(recipe.service)
    provider = tracing.configure(recipe.service)
    try:
        ports = recipe.build(recipe.settings)
    except Unavailable as outage:
        pipe.send(Down(outage.what))
        return
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
        return
    pipe.send(None)
    while True:
        try:
            question: Work | str = pipe.recv()
        except (EOFError, OSError):
            break
        pipe.send(_answer(ports, question))
    provider.shutdown()


def _answer(ports: Ports, question: Work | str) -> Verdict | bool:
    if isinstance(question, Work):
        with tracing.span("handle", parent=question.traceparent):
            return judge(ports.handle, question)
    try:
        ports.probes[question]()
    except Unavailable:
        return False
    except KeyError:
        return True
    return True


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
