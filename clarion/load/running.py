"""One run: orders are given out when they are due, jobs are followed until none is open."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType

import httpx

from clarion.failure import Failure
from clarion.load.crew import Crew, Task
from clarion.load.figures import LOOK_S
from clarion.load.judging import lost, not_completed, unexpected
from clarion.load.machine import Meter
from clarion.load.plan import Order
from clarion.load.report import Machine, Report, Verdict, report
from clarion.load.stages import Sources
from clarion.load.tracking import Tracker

_ROUND_S = 0.25
_AHEAD = 2
"""Tasks given out for each sender, so that it makes the next study while it waits."""
_SHOWN = 300
"""The newest jobs that live figures are of."""


@dataclass
class Interrupts:
    """How often the run was asked to end: once, send no more; twice, do not wait either."""

    count: int = 0


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """SIGINT and SIGTERM are counted inside the block, and end nothing by themselves."""
    interrupts = Interrupts()

    def counted(_: int, __: FrameType | None) -> None:
        interrupts.count += 1

    before = {number: signal.signal(number, counted) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Run:
    """Everything that one run needs and knows."""

    crew: Crew
    orders: Iterator[Order]
    planned: int
    tracker: Tracker
    meter: Meter
    sources: Sources
    drain_s: float
    """How long nothing may end after the last study was sent, before the rest counts as lost."""
    interrupts: Interrupts
    show: Callable[[Report], object]
    recorded: bool = False
    """The studies are of people's folders, and may be refused."""
    begun: float = field(default_factory=time.monotonic)
    under_way: int = 0
    all_given: bool = False
    waiting_most: int = 0
    moved: float = 0.0
    looked: float = 0.0
    unanswered: int = 0

    def go(self) -> Report:
        """Send, drain, and say what it came to. Raises Failure when a sender died."""
        self.begun = self.moved = time.monotonic()
        self.meter.begin()
        while not self._over():
            self._give()
            self._collect()
            self._look()
            time.sleep(_ROUND_S)
        until = time.monotonic() + (0 if self.interrupts.count > 1 else self.drain_s)
        while not self._asked(self.tracker.look_at_all) and time.monotonic() < until:
            time.sleep(LOOK_S)
        return self._judged()

    def _give(self) -> None:
        if self.interrupts.count and not self.crew.stop.is_set():
            self.crew.stop.set()
            self.all_given = True
        while not self.all_given and self.under_way < _AHEAD * len(self.crew.processes):
            order = next(self.orders, None)
            if order is None:
                self.all_given = True
                return
            self.crew.give(Task(order, self.begun + order.due_s))
            self.under_way += 1

    def _collect(self) -> None:
        for sent in self.crew.collect():
            self.under_way -= 1
            self.moved = time.monotonic()
            if sent is not None:
                self.tracker.expect(sent)

    def _look(self) -> None:
        if time.monotonic() - self.looked < LOOK_S:
            return
        ended = len(self.tracker.jobs)
        self._asked(self.tracker.look)
        self.meter.look()
        self.looked = time.monotonic()
        if len(self.tracker.jobs) != ended:
            self.moved = self.looked
        self.waiting_most = max(self.waiting_most, len(self.tracker.waiting()))
        self.show(self.report(_SHOWN))

    def _asked(self, look: Callable[[], None]) -> bool:
        """Under load the jobs API may be slow or start again: the run goes on, and counts it."""
        try:
            look()
        except (httpx.HTTPError, Failure):
            self.unanswered += 1
            return False
        return True

    def _over(self) -> bool:
        if self.interrupts.count > 1:
            return True
        if not self.all_given or self.under_way:
            return False
        stalled = time.monotonic() - self.moved > self.drain_s
        return stalled or not self.tracker.waiting()

    def report(self, newest: int | None = None) -> Report:
        """The figures so far; those of jobs from the `newest` alone, where there are many."""
        done = self.tracker.done()
        return report(
            self.tracker.sent,
            self.planned,
            done[-newest:] if newest else done,
            (len(self.tracker.waiting()), len(self.tracker.unfinished()), self.waiting_most),
            self.sources,
            self._machine(),
            time.monotonic() - self.begun,
            self.unanswered,
        )

    def _machine(self) -> Machine:
        return Machine(
            cpu_percent=self.meter.cpu_percent(),
            backlog_most=dict(self.meter.backlog_most),
            triton=self.meter.triton(),
            backlog=self.meter.backlog,
        )

    def _judged(self) -> Report:
        """Studies that nobody waited for are not lost."""
        sent, newest = self.tracker.sent, self.tracker.newest
        missing = lost(sent, newest) if self.interrupts.count < 2 else []
        ended = self.report()
        if not ended.waiting:  # the last look at the backlog was before the end
            ended = replace(ended, machine=replace(ended.machine, backlog=None))
        return replace(
            ended,
            interrupted=self.interrupts.count > 0,
            verdict=Verdict(
                lost=tuple(missing),
                unexpected=tuple(unexpected(sent, newest)),
                not_completed=tuple(not_completed(sent, newest, recorded=self.recorded)),
            ),
        )
