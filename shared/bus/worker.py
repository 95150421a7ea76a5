"""One warm worker process, and the pipe to it."""

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
from shared.bus.execution import Down, Verdict, judge
from shared.bus.work import Ports, Work
from shared.errors import Unavailable
from shared.giving_way import under_way
from shared.settings import Settings
from shared.telemetry import logs, tracing

_STEP_S = 0.5


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
        with under_way(question.lane), tracing.span("handle", parent=question.traceparent):
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
