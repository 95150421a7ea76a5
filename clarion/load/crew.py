"""The sender processes: each makes a study, waits until it is due, and sends it."""

import multiprocessing
import queue
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event, Semaphore
from pathlib import Path

from clarion.failure import Failure
from clarion.load.identities import Run
from clarion.load.plan import Order
from clarion.load.routes import Way
from clarion.load.sending import Sent, send
from clarion.load.studies import Source, make
from shared.events.models import Lane

_LOOK_S = 0.5
_END_S = 20.0
_START_S = 120.0


@dataclass(frozen=True)
class Task:
    """An order, and the moment of the monotonic clock at which it is due."""

    order: Order
    due: float


@dataclass(frozen=True)
class Belongings:
    """What every sender needs."""

    sources: tuple[Source, ...]
    ways: Mapping[Lane, Way]
    run: Run
    folder: Path


@dataclass(frozen=True)
class Crew:
    """Senders at work; they take tasks in order, one each."""

    processes: Sequence[BaseProcess]
    tasks: "Queue[Task | None]"
    done: "Queue[Sent | None]"
    stop: Event

    def give(self, task: Task) -> None:
        self.tasks.put(task)

    def collect(self) -> Iterator[Sent | None]:
        """What has ended since the last time; None for a task that was not begun after `stop`.

        Raises Failure when a sender died.
        """
        while True:
            try:
                yield self.done.get_nowait()
            except queue.Empty:
                break
        if not all(process.is_alive() for process in self.processes):
            raise Failure("sender-died: a sending process ended by itself; is memory left?")


@contextmanager
def hired(size: int, belongings: Belongings) -> Iterator[Crew]:
    """`size` sender processes, ready to send, which end with the block. Raises Failure."""
    context = multiprocessing.get_context("spawn")
    tasks: Queue[Task | None] = context.Queue()
    done: Queue[Sent | None] = context.Queue()
    stop, ready = context.Event(), context.Semaphore(0)
    processes = [
        context.Process(target=work, args=(belongings, tasks, done, stop, ready), daemon=True)
        for _ in range(size)
    ]
    try:
        for process in processes:
            process.start()
        for _ in processes:
            if not ready.acquire(timeout=_START_S):
                raise Failure("sender-not-started: a sending process did not start in time")
        yield Crew(processes, tasks, done, stop)
    finally:
        _dismiss(processes, tasks, stop)


def _dismiss(processes: Sequence[BaseProcess], tasks: "Queue[Task | None]", stop: Event) -> None:
    stop.set()
    for _ in processes:
        tasks.put(None)
    until = time.monotonic() + _END_S
    for process in processes:
        if process.pid is not None:
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.terminate()


def work(
    belongings: Belongings,
    tasks: "Queue[Task | None]",
    done: "Queue[Sent | None]",
    stop: Event,
    ready: Semaphore,
) -> None:
    """A sender's life: until there is nothing more to do, or nobody to do it for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that we work for
    parent = multiprocessing.parent_process()
    ready.release()
    while parent is None or parent.is_alive():
        try:
            task = tasks.get(timeout=_LOOK_S)
        except queue.Empty:
            continue
        if task is None:
            return
        done.put(_performed(task, belongings, stop))


def _performed(task: Task, belongings: Belongings, stop: Event) -> Sent | None:
    order = task.order
    if stop.is_set():
        return None
    folder = Path(tempfile.mkdtemp(dir=belongings.folder))
    try:
        study = make(order, belongings.sources[order.source], belongings.run, folder / "study")
        if stop.wait(max(0.0, task.due - time.monotonic())):
            return None
        late_s = max(0.0, time.monotonic() - task.due)
        return send(order, study, belongings.ways[order.lane], late_s)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
