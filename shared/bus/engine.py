"""One event and its units of work: outcome, then publish, then the offset is done."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import ParamSpec, TypeVar

from structlog.contextvars import bound_contextvars

from shared.bus import attempts, outcomes, settling
from shared.bus.attempts import Attempt
from shared.bus.control import Control
from shared.bus.execution import Defect, Done, Down, Executor, Refused, Verdict
from shared.bus.outcomes import Outcome
from shared.bus.received import Publisher, Received
from shared.bus.settling import Settled
from shared.bus.slots import Slots
from shared.bus.units import DEFINITION, Gathered, Unit, gather, input_digests, woken, work_of
from shared.bus.watch import Watch
from shared.catalog import Service, Topics
from shared.clock import Clock
from shared.errors import Unavailable
from shared.events.models import KINDS, Common
from shared.events.wire import Event
from shared.pipelines.definition import Definition, parse
from shared.store.port import PayloadStore
from shared.telemetry import attributes as names
from shared.telemetry.logs import logger
from shared.telemetry.tracing import record, span, traceparent_of

_REMEMBERED = 10_000

P = ParamSpec("P")
R = TypeVar("R")
Key = tuple[str, int, str]


@dataclass(frozen=True)
class Platform:
    """What an engine stands on."""

    service: Service
    topics: Topics
    store: PayloadStore
    executor: Executor
    publisher: Publisher
    control: Control
    slots: Slots
    watch: Watch
    clock: Clock
    backoff_s: tuple[float, ...] = (1.0, 5.0)
    """Pauses before the second and the third attempt."""


@dataclass
class _Turn:
    """Whose turn it is at a unit, and how many hold or await it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class _Stopped(Exception):
    """The run was cancelled or superseded while its work was queued."""


class Engine:
    """Turns events into outcomes and events; the same in front of Kafka and of the fake bus."""

    def __init__(self, platform: Platform) -> None:
        self._on = platform
        self._definitions: dict[str, Definition] = {}
        self._locks: dict[Key, _Turn] = {}
        self._published: OrderedDict[Key, None] = OrderedDict()

    async def handle(self, received: Received) -> None:
        """Return when every unit of work that the event wakes has ended here."""
        data = received.event.data
        if not isinstance(data, Common):
            return
        definition = await self._definition(data)
        units = woken(definition, self._on.service.service, data.stage)
        await asyncio.gather(*(self._unit(received, data, definition, unit) for unit in units))

    async def _definition(self, event: Common) -> Definition:
        ref = event.payloads[DEFINITION]
        if ref.sha256 not in self._definitions:
            text = await self._patiently(self._on.store.get, ref)
            self._definitions[ref.sha256] = parse(text)
        return self._definitions[ref.sha256]

    async def _unit(
        self, received: Received, event: Common, definition: Definition, unit: Unit
    ) -> None:
        key = (event.job_id, event.run, unit.name)
        context = bound_contextvars(job=event.job_id, run=event.run, stage=unit.name)
        with context:
            async with self._alone(key):
                if key not in self._published and not self._stopped(event):
                    outcome = await self._settle(received, event, definition, unit)
                    if outcome and not self._stopped(event):
                        await self._publish(outcome, received)
                        self._remember(key)

    @asynccontextmanager
    async def _alone(self, key: Key) -> AsyncIterator[None]:
        """One event at a time settles a unit; the others find its outcome."""
        turn = self._locks.setdefault(key, _Turn())
        turn.waiting += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._locks[key]

    def _stopped(self, event: Common) -> bool:
        return self._on.control.stopped(event.job_id, event.run)

    async def _settle(
        self, received: Received, event: Common, definition: Definition, unit: Unit
    ) -> Outcome | None:
        store = self._on.store
        held = await self._patiently(outcomes.read, store, event.job_id, event.run, unit.name)
        if held:
            return held
        gathered = await self._patiently(gather, store, event, definition, unit)
        if gathered is None:
            return None
        made = await self._take_over(received, event, unit, gathered)
        if made is None:
            try:
                made = await self._attempt(received, event, definition, unit, gathered)
            except _Stopped:
                return None
        with span("outcome", parent=made.traceparent):
            return await self._patiently(outcomes.keep, store, made)

    async def _take_over(
        self, received: Received, event: Common, unit: Unit, gathered: Gathered
    ) -> Outcome | None:
        if event.run == 1 or event.fresh:
            return None
        store = self._on.store
        earlier = await self._patiently(
            outcomes.newest_success, store, event.job_id, event.run, unit.name
        )
        if earlier is None or earlier.inputs != input_digests(unit, gathered):
            return None
        started = self._on.clock()
        about = {**_about(event, unit), names.REUSED_FROM: earlier.run}
        parent = received.event.traceparent
        with span(unit.name, about, parent=parent, links=(earlier.traceparent,)) as opened:
            traceparent = traceparent_of(opened)
        settled = self._settled(received, unit, gathered, earlier.attempts, started, traceparent)
        return settling.taken_over(settled, earlier)

    async def _attempt(
        self,
        received: Received,
        event: Common,
        definition: Definition,
        unit: Unit,
        gathered: Gathered,
    ) -> Outcome:
        store, unit_key = self._on.store, (event.job_id, event.run, unit.name)
        notes = await self._patiently(attempts.earlier, store, *unit_key)
        own_outages, waited_from, wait = 0, received.event.time, "queue"
        if len(notes) > len(self._on.backoff_s):  # a crash came before the outcome
            ended, traceparent = notes[-1].finished_at, notes[-1].traceparent
            before = self._settled(received, unit, gathered, len(notes), ended, traceparent)
            return self._given_up(before, notes[-1])
        while True:
            await self._on.watch.all_up()
            async with self._on.slots.slot(self._on.control.lane(event.job_id, event.lane)):
                if self._stopped(event):
                    raise _Stopped
                started = self._on.clock()
                about = {**_about(event, unit), names.ATTEMPT: len(notes) + 1}
                parent = received.event.traceparent
                record(wait, waited_from, started, {**about, names.WAIT: wait}, parent=parent)
                with span(unit.name, about, parent=parent, links=_links(notes)) as opened:
                    traceparent = traceparent_of(opened)
                    work = work_of(event, definition, unit, gathered, traceparent)
                    verdict = await self._on.executor.execute(work)
            number = len(notes) + 1
            settled = self._settled(received, unit, gathered, number, started, traceparent)
            waited_from = self._on.clock()
            judged = self._judged(settled, unit, verdict)
            if isinstance(judged, Outcome):
                return judged
            verdict = judged
            if isinstance(verdict, Down):
                was_up = await self._outage(verdict.what)
                own_outages += 1
                wait = "outage"
                if own_outages == 1 and not was_up:
                    continue
                verdict = Defect("dependency-failed", "Unavailable", verdict.what, verdict.what)
            logger().warning("attempt failed", attempt=number, code=verdict.code)
            notes.append(await self._patiently(attempts.keep, store, settled, event.run, verdict))
            if len(notes) > len(self._on.backoff_s):
                return self._given_up(settled, notes[-1])
            wait = "backoff"
            await asyncio.sleep(self._on.backoff_s[len(notes) - 1])

    def _judged(self, settled: Settled, unit: Unit, verdict: Verdict) -> Outcome | Down | Defect:
        if isinstance(verdict, Refused):
            logger().info("refused", codes=[reason.code for reason in verdict.reasons])
            return settling.refused(settled, verdict.reasons)
        if not isinstance(verdict, Done):
            return verdict
        operation = self._on.service.operation(unit.service)
        try:
            if operation is None:
                raise ValueError(f"{unit.service} is no operation of this service")
            return settling.succeeded(settled, operation, self._on.topics, verdict.produced)
        except ValueError as error:
            return Defect("wrong-product", type(error).__name__, unit.service, str(error))

    async def _outage(self, what: str) -> bool:
        """Whether the dependency was up all the same; else wait until it is back."""
        if await self._on.executor.is_up(what):
            return True
        await self._on.watch.until_up(what, lambda: self._on.executor.is_up(what))
        return False

    def _given_up(self, settled: Settled, last: Attempt) -> Outcome:
        self._on.watch.failed()
        defect = Defect(last.code, last.exception_type, last.place, "")
        return settling.failed(settled, defect, last.details)

    def _settled(
        self,
        received: Received,
        unit: Unit,
        gathered: Gathered,
        number: int,
        started: datetime,
        traceparent: str,
    ) -> Settled:
        name, now = self._on.service.service, self._on.clock()
        return Settled(received, unit, name, gathered, number, started, now, traceparent)

    async def _publish(self, outcome: Outcome, received: Received) -> None:
        for made in outcome.events:
            event = Event(
                id=made.id,
                source=self._on.service.service,
                kind=made.kind,
                subject=outcome.job_id,
                time=made.time,
                traceparent=outcome.traceparent,
                data=KINDS[made.kind].model_validate(made.data),
            )
            place = received.place
            with span("publish", {names.KIND: made.kind}, parent=outcome.traceparent):
                await self._on.publisher.publish(event, place.lane, place.partition)

    def _remember(self, key: Key) -> None:
        self._published[key] = None
        if len(self._published) > _REMEMBERED:
            self._published.popitem(last=False)

    async def _patiently(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the store; wait while it is down."""
        while True:
            try:
                return await asyncio.to_thread(call, *args, **kwargs)
            except Unavailable as outage:
                await self._on.watch.until_up(outage.what, self._store_is_up)

    async def _store_is_up(self) -> bool:
        try:
            await asyncio.to_thread(self._on.store.probe)
        except Unavailable:
            return False
        return True


def _links(notes: Sequence[Attempt]) -> tuple[str, ...]:
    """A later attempt links to the one before it, across restarts too."""
    return tuple(note.traceparent for note in notes[-1:] if note.traceparent)


def _about(event: Common, unit: Unit) -> dict[str, str | int]:
    return {
        names.JOB: event.job_id,
        names.RUN: event.run,
        names.STAGE: unit.name,
        names.LANE: event.lane,
        names.PIPELINE: event.pipeline,
    }
