"""One event and its units of work: outcome, then publish, then the offset is done."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import ParamSpec, TypeVar

from structlog.contextvars import bound_contextvars

from shared.bus import outcomes, settling
from shared.bus.control import Control
from shared.bus.execution import Defect, Done, Down, Executor, Refused, Verdict
from shared.bus.outcomes import Attempt, Outcome
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
        earlier = await self._patiently(self._earlier_attempts, event, unit)
        burnt, links = len(earlier), tuple(note.traceparent for note in earlier[-1:])
        own_outages, waited_from, wait = 0, received.event.time, "queue"
        if burnt > len(self._on.backoff_s):
            return await self._given_up_before(received, unit, gathered, earlier[-1])
        while True:
            await self._on.watch.all_up()
            async with self._on.slots.slot(self._on.control.lane(event.job_id, event.lane)):
                if self._stopped(event):
                    raise _Stopped
                started = self._on.clock()
                about = {**_about(event, unit), names.ATTEMPT: burnt + 1}
                parent = received.event.traceparent
                record(wait, waited_from, started, {**about, names.WAIT: wait}, parent=parent)
                with span(unit.name, about, parent=parent, links=links) as opened:
                    traceparent = traceparent_of(opened)
                    work = work_of(event, definition, unit, gathered, traceparent)
                    verdict = await self._on.executor.execute(work)
            settled = self._settled(received, unit, gathered, burnt + 1, started, traceparent)
            links, waited_from = (traceparent,), self._on.clock()
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
            burnt = await self._burn(event, unit, burnt, verdict, traceparent)
            if burnt > len(self._on.backoff_s):
                return await self._given_up(settled, verdict)
            wait = "backoff"
            await asyncio.sleep(self._on.backoff_s[burnt - 1])

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

    def _earlier_attempts(self, event: Common, unit: Unit) -> list[Attempt]:
        prefix = outcomes.attempt_key(event.job_id, event.run, unit.name, 0).rpartition("/")[0]
        notes = (self._on.store.read(key) for key in self._on.store.keys(f"{prefix}/"))
        return [Attempt.model_validate_json(note) for note in notes if note]

    async def _burn(
        self, event: Common, unit: Unit, burnt: int, defect: Defect, traceparent: str
    ) -> int:
        logger().warning("attempt failed", attempt=burnt + 1, code=defect.code, place=defect.place)
        key = outcomes.attempt_key(event.job_id, event.run, unit.name, burnt + 1)
        details = await self._patiently(self._on.store.put, defect.details.encode(), "text/plain")
        note = Attempt(
            code=defect.code,
            exception_type=defect.exception_type,
            place=defect.place,
            details=details,
            traceparent=traceparent,
            finished_at=self._on.clock(),
        )
        await self._patiently(self._on.store.create, key, note.model_dump_json().encode())
        return burnt + 1

    async def _given_up_before(
        self, received: Received, unit: Unit, gathered: Gathered, last: Attempt
    ) -> Outcome:
        """A crash came between the last attempt and its outcome."""
        attempts = len(self._on.backoff_s) + 1
        started = last.finished_at
        settled = self._settled(received, unit, gathered, attempts, started, last.traceparent)
        defect = Defect(last.code, last.exception_type, last.place, "")
        return settling.failed(settled, defect, last.details)

    async def _given_up(self, settled: Settled, defect: Defect) -> Outcome:
        self._on.watch.failed()
        details = await self._patiently(self._on.store.put, defect.details.encode(), "text/plain")
        return settling.failed(settled, defect, details)

    def _settled(
        self,
        received: Received,
        unit: Unit,
        gathered: Gathered,
        attempts: int,
        started: datetime,
        traceparent: str,
    ) -> Settled:
        name, now = self._on.service.service, self._on.clock()
        return Settled(received, unit, name, gathered, attempts, started, now, traceparent)

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


def _about(event: Common, unit: Unit) -> dict[str, str | int]:
    return {
        names.JOB: event.job_id,
        names.RUN: event.run,
        names.STAGE: unit.name,
        names.LANE: event.lane,
        names.PIPELINE: event.pipeline,
    }
