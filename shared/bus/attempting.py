"""The attempts at one unit of work, from the wait for a slot until it has an outcome."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from shared.bus import attempts, outcomes, settling
from shared.bus.attempts import History
from shared.bus.execution import Defect, Done, Down, Verdict
from shared.bus.outcomes import Outcome
from shared.bus.platform import Platform
from shared.bus.received import Received
from shared.bus.settling import Settled
from shared.bus.suspects import Turn
from shared.bus.units import Gathered, Unit, work_of
from shared.bus.watch import pauses
from shared.bus.work import Work
from shared.errors import Unavailable
from shared.events.models import Common, Lane
from shared.pipelines.definition import Definition
from shared.telemetry import attributes as names
from shared.telemetry.logs import logger
from shared.telemetry.tracing import record, span, traceparent_of

LOST_IN_ALL = 5
"""So often may the whole service die while it works on a unit, before the unit is to blame."""


@dataclass(frozen=True)
class Woken:
    """A unit of work, the event that woke it, and its inputs."""

    received: Received
    event: Common
    definition: Definition
    unit: Unit
    gathered: Gathered

    @property
    def key(self) -> tuple[str, int, str]:
        return self.event.job_id, self.event.run, self.unit.name

    @property
    def about(self) -> dict[str, str | int]:
        """What its spans say of it."""
        return {
            names.JOB: self.event.job_id,
            names.RUN: self.event.run,
            names.STAGE: self.unit.name,
            names.LANE: self.event.lane,
            names.PIPELINE: self.event.pipeline,
        }

    def settled(
        self, platform: Platform, attempts_made: int, started: datetime, traceparent: str
    ) -> Settled:
        """The circumstances in which the unit ends now."""
        service, now = platform.service.service, platform.clock()
        return Settled(
            self.received, self.unit, service, self.gathered, attempts_made, started, now,
            traceparent,
        )  # fmt: skip


class Attempting:
    """Tries a unit until it is done, refused or given up; see `errors` for the verdicts."""

    def __init__(self, platform: Platform, woken: Woken, before: History) -> None:
        self._on, self._woken = platform, woken
        self._notes = list(before.failed)
        self._lost = before.lost
        self._mark = attempts.mark(*woken.key, max(self._lost, default=0) + 1)
        self._met: set[str] = set()
        """What went down during its own calls."""
        self._missed: set[str] = set()
        """What did not answer in its calls, though it may have been back before it was asked."""
        self._rests = pauses()
        self._turn = Turn(platform)
        self._wait, self._waited_from = "queue", woken.received.event.time

    @property
    def marks(self) -> tuple[str, ...]:
        """What is to be deleted when the unit has its outcome."""
        return (self._mark, *(attempts.mark(*self._woken.key, number) for number in self._lost))

    async def outcome(self) -> Outcome:
        """Raises `Stopped` when the run is stopped while it waits, and `NotUnderstood`."""
        if self._exhausted:  # a crash came before the outcome
            return self._given_up(self._after_the_last())
        if len(self._lost) >= LOST_IN_ALL:
            return await self._too_often_lost()
        while True:
            settled, verdict = await self._once()
            judged = self._judged(settled, verdict)
            if isinstance(judged, Outcome):
                return judged
            defect = await self._blamed(judged)
            if defect is None:
                continue
            logger().warning("attempt failed", attempt=settled.attempts, code=defect.code)
            await self._on.patiently(self._note, settled, defect)
            if self._exhausted:
                return self._given_up(replace(settled, attempts=len(self._notes)))
            await self._back_off()
            if ended := await self._on.patiently(self._look):
                return ended
            if self._exhausted:
                return self._given_up(self._after_the_last())

    @property
    def _exhausted(self) -> bool:
        return len(self._notes) > len(self._on.backoff_s)

    async def _once(self) -> tuple[Settled, Verdict]:
        woken, number = self._woken, len(self._notes) + 1
        async with AsyncExitStack() as held:
            await self._take_slot(held)
            started = self._on.clock()
            about = {**woken.about, names.LANE: self._lane(), names.ATTEMPT: number}
            parent = woken.received.event.traceparent
            waited = {**about, names.WAIT: self._wait}
            record(self._wait, self._waited_from, started, waited, parent=parent)
            with span(woken.unit.name, about, parent=parent, links=self._links()) as opened:
                traceparent = traceparent_of(opened)
                verdict = await self._execute(self._work(traceparent))
        settled = woken.settled(self._on, number, started, traceparent)
        self._waited_from = self._on.clock()
        return settled, verdict

    async def _take_slot(self, held: AsyncExitStack) -> None:
        """Hold a slot, and nothing is known to be down.

        Who may have brought down the service works alone, and who may have brought down a
        dependency while no other such unit works, so that it blames no neighbour and none blames
        it. Neither a slot nor the turn is held while it waits for the other; it ages all the time.
        """
        alone, came = bool(self._lost), asyncio.get_running_loop().time()
        async with self._wanted():
            while True:
                await self._on.watch.until_open()
                if self._missed:
                    await self._turn.until_free(self._lane)
                slot = self._on.slots.slot(self._lane, alone=alone, came=came)
                await held.enter_async_context(slot)
                if self._on.watch.open and await self._may_begin(held):
                    return
                await held.aclose()

    async def _may_begin(self, held: AsyncExitStack) -> bool:
        """A suspect has its turn, and what went down in its last call is there when this begins."""
        if not self._missed:
            return True
        if not await held.enter_async_context(self._turn.taken()):
            return False
        down = [what for what in sorted(self._missed) if not await self._is_up(what)]
        for what in down:
            self._went_down(what)
        return not down

    async def _execute(self, work: Work) -> Verdict:
        store = self._on.store
        try:
            await self._on.patiently(store.mark, self._mark)
            verdict = await self._on.executor.execute(work)
            if isinstance(verdict, Down):
                return await self._met_at_once(verdict)
        except asyncio.CancelledError:  # a stop that was asked for is nobody's fault
            with suppress(Unavailable):
                await asyncio.to_thread(store.delete, self._mark)
            raise
        return verdict

    async def _met_at_once(self, down: Down) -> Verdict:
        """What the outage was, asked before the slot is free: later it may be over."""
        if down.asked:
            self._missed.add(down.what)
        if not await self._is_up(down.what):
            self._went_down(down.what)  # nobody begins a call now
        elif down.asked:
            return _dependency_failed(down.what)
        return down

    def _went_down(self, what: str) -> None:
        self._on.watch.went_down(what, partial(self._is_up, what))

    async def _is_up(self, what: str) -> bool:
        return await self._on.executor.is_up(what, self._lane())

    def _wanted(self) -> AbstractAsyncContextManager[None]:
        return self._on.control.while_wanted(self._woken.event.job_id, self._woken.event.run)

    def _lane(self) -> Lane:
        return self._on.control.lane(self._woken.event.job_id, self._woken.event.lane)

    def _work(self, traceparent: str) -> Work:
        woken = self._woken
        return work_of(
            woken.event, woken.definition, woken.unit, woken.gathered, self._lane(), traceparent
        )

    def _judged(self, settled: Settled, verdict: Verdict) -> Outcome | Down | Defect:
        if isinstance(verdict, Down | Defect):
            return verdict
        service = self._woken.unit.service
        try:
            if isinstance(verdict, Done):
                made = self._made(settled, service, verdict)
                self._on.watch.succeeded(self._woken.unit.name)
                return made
            refused = settling.refused(settled, verdict.reasons)
        except ValueError as error:  # undeclared ports, or numbers that are none
            return Defect("wrong-product", type(error).__name__, service, str(error))
        logger().info("refused", codes=[reason.code for reason in verdict.reasons])
        return refused

    def _made(self, settled: Settled, service: str, verdict: Done) -> Outcome:
        operation = self._on.service.operation(service)
        if operation is None:
            raise ValueError(f"{service} is no operation of this service")
        return settling.succeeded(settled, operation, self._on.topics, verdict.produced)

    async def _blamed(self, verdict: Down | Defect) -> Defect | None:
        """The defect that counts as an attempt; None for the first outage, when it is over.

        Each later one began during the call: `_may_begin` has seen to it. One in which the handler
        was not asked never counts, and the next try waits for its end.
        """
        if isinstance(verdict, Defect):
            return verdict
        self._wait = "outage"
        await self._on.patiently(self._on.store.delete, self._mark)
        async with self._wanted():
            if not verdict.asked:
                await asyncio.sleep(next(self._rests))
                return None
            await self._on.watch.until_up(verdict.what, partial(self._is_up, verdict.what))
        if verdict.what in self._met:
            return _dependency_failed(verdict.what)
        self._met.add(verdict.what)
        return None

    def _note(self, settled: Settled, defect: Defect) -> None:
        attempts.keep(self._on.store, settled, self._woken.event.run, defect)
        self._notes = attempts.earlier(self._on.store, *self._woken.key)
        self._on.store.delete(self._mark)

    def _look(self) -> Outcome | None:
        """What a replica that was given this unit by a rebalance has made of it meanwhile."""
        self._notes = attempts.earlier(self._on.store, *self._woken.key)
        return outcomes.understood(self._on.store, *self._woken.key)

    async def _back_off(self) -> None:
        self._wait = "backoff"
        async with self._wanted():
            await asyncio.sleep(self._on.backoff_s[len(self._notes) - 1])

    def _after_the_last(self) -> Settled:
        last = self._notes[-1]
        return self._woken.settled(self._on, len(self._notes), last.finished_at, last.traceparent)

    async def _too_often_lost(self) -> Outcome:
        """Nobody saw how it ended, five times: the whole service died with it."""
        told = f"the service ended {len(self._lost)} times while it worked on this"
        made, moment = len(self._notes) + len(self._lost), self._woken.received.event.time
        settled = self._woken.settled(
            self._on, made, moment, self._woken.received.event.traceparent
        )
        defect = Defect("service-died", "WorkerLost", self._woken.unit.name, told)
        store = self._on.store
        details = await self._on.patiently(store.put, told.encode(), "text/plain")
        self._on.watch.failed(self._woken.unit.name)
        return settling.failed(settled, defect, details)

    def _given_up(self, settled: Settled) -> Outcome:
        self._on.watch.failed(self._woken.unit.name)
        last = self._notes[-1]
        defect = Defect(last.code, last.exception_type, last.place, "")
        return settling.failed(settled, defect, last.details)

    def _links(self) -> tuple[str, ...]:
        """A later attempt links to the one before it, across restarts too."""
        return tuple(note.traceparent for note in self._notes[-1:] if note.traceparent)


def _dependency_failed(what: str) -> Defect:
    return Defect("dependency-failed", "Unavailable", what, what)
