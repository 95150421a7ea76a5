"""One event and its units of work: outcome, then publish, then the offset is done."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from structlog.contextvars import bound_contextvars

from shared.bus import outcomes, settling
from shared.bus.attempting import Attempting, Woken
from shared.bus.attempts import History, forget, forget_all, history
from shared.bus.control import Stopped
from shared.bus.execution import Defect
from shared.bus.outcomes import NotUnderstood, Outcome
from shared.bus.platform import Platform, to_its_end
from shared.bus.received import Received
from shared.bus.units import DEFINITION, Gathered, Unit, gather, input_digests, woken
from shared.errors import Unavailable
from shared.events.models import Common
from shared.pipelines.definition import Definition, parse
from shared.store.port import PayloadStore
from shared.telemetry import attributes as names
from shared.telemetry.tracing import span, traceparent_of

_REMEMBERED = 10_000

Key = tuple[str, int, str]


@dataclass
class _Turn:
    """Whose turn it is at a unit, and how many hold or await it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


@dataclass(frozen=True)
class _Ready:
    """A unit without an outcome, whose inputs are there."""

    gathered: Gathered
    before: History


def _look(
    store: PayloadStore, event: Common, definition: Definition, unit: Unit
) -> Outcome | _Ready | None:
    """All that the store says of a unit, asked in one go; None while it waits for a partner.

    Raises `NotUnderstood` for the unit's own outcome and for a partner's.
    """
    key = (event.job_id, event.run, unit.name)
    held = outcomes.understood(store, *key)
    if held:
        forget_all(store, *key)
        return held
    gathered = gather(store, event, definition, unit)
    return _Ready(gathered, history(store, *key)) if gathered else None


def _end(store: PayloadStore, made: Outcome, marks: tuple[str, ...]) -> Outcome:
    """Keep the outcome, then forget that the unit was begun; gives the outcome that holds."""
    held = outcomes.keep(store, made)
    forget(store, marks)
    return held


class Engine:
    """Turns events into outcomes and events; the same in front of Kafka and of the fake bus."""

    def __init__(self, platform: Platform) -> None:
        self._on = platform
        self._definitions: dict[str, Definition] = {}
        self._locks: dict[Key, _Turn] = {}
        self._published: OrderedDict[Key, None] = OrderedDict()
        platform.control.listen(platform.slots.serve)

    async def handle(self, received: Received) -> None:
        """Return when every unit of work that the event wakes has ended here.

        Raises the first error of a unit, when the others have ended too: `Unavailable` when one
        file of the store is broken.
        """
        data = received.event.data
        if not isinstance(data, Common):
            return
        definition = await self._definition(data)
        units = woken(definition, self._on.service.service, data.stage)
        each = (self._unit(received, data, definition, unit) for unit in units)
        for ended in await asyncio.gather(*each, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended

    async def _definition(self, event: Common) -> Definition:
        ref = event.payloads[DEFINITION]
        if ref.sha256 not in self._definitions:
            text = await self._on.patiently(self._on.store.get, ref)
            self._definitions[ref.sha256] = parse(text)
        return self._definitions[ref.sha256]

    async def _unit(
        self, received: Received, event: Common, definition: Definition, unit: Unit
    ) -> None:
        key = (event.job_id, event.run, unit.name)
        with bound_contextvars(job=event.job_id, run=event.run, stage=unit.name):
            async with self._alone(key):
                if key in self._published:
                    return
                outcome = None
                with suppress(Stopped):
                    if not self._stopped(event):
                        outcome = await self._settle(received, event, definition, unit)
                if self._stopped(event):  # no outcome will end what was begun of it
                    await self._on.patiently(forget_all, self._on.store, *key)
                elif outcome:
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
        try:
            found = await self._on.patiently(_look, self._on.store, event, definition, unit)
            if not isinstance(found, _Ready):
                return found
            ready = Woken(received, event, definition, unit, found.gathered)
            return await self._done(ready, found.before)
        except NotUnderstood as broken:
            gathered = Gathered(event.payloads, event.warnings)
            return await self._lost(Woken(received, event, definition, unit, gathered), broken)

    async def _done(self, unit: Woken, before: History) -> Outcome:
        on, attempting = self._on, Attempting(self._on, unit, before)
        try:
            made = await self._take_over(unit) or await attempting.outcome()
            with span("outcome", parent=made.traceparent):
                return await on.patiently(_end, on.store, made, attempting.marks)
        except Unavailable:  # the service did not die of it
            with suppress(Unavailable):
                await to_its_end(forget, on.store, attempting.marks[:1])
            raise

    async def _lost(self, unit: Woken, broken: NotUnderstood) -> Outcome:
        """The failure of a unit whose own outcome, or a partner's, says nothing.

        It is told and not kept: its own can't be replaced. A later run makes all of them anew.
        """
        on, store = self._on, self._on.store
        details = await on.patiently(store.put, str(broken).encode(), "text/plain")
        await on.patiently(forget_all, store, *unit.key)
        began, parent = unit.received.event.time, unit.received.event.traceparent
        defect = Defect("outcome-unreadable", broken.exception_type, broken.stage, str(broken))
        on.watch.failed(unit.unit.name)
        return settling.failed(unit.settled(on, 0, began, parent), defect, details)

    async def _take_over(self, unit: Woken) -> Outcome | None:
        """The newest success of an earlier run, if it was made of the same inputs.

        One in a broken file is none.
        """
        on, event = self._on, unit.event
        if event.run == 1 or event.fresh:
            return None
        try:
            earlier = await on.patiently(outcomes.newest_success, on.store, *unit.key)
        except Unavailable:
            return None
        if earlier is None or earlier.inputs != input_digests(unit.unit, unit.gathered):
            return None
        started, parent = on.clock(), unit.received.event.traceparent
        about = {**unit.about, names.REUSED_FROM: earlier.run}
        with span(unit.unit.name, about, parent=parent, links=(earlier.traceparent,)) as opened:
            traceparent = traceparent_of(opened)
        settled = unit.settled(on, earlier.attempts, started, traceparent)
        return settling.taken_over(settled, earlier)

    async def _publish(self, outcome: Outcome, received: Received) -> None:
        """By the lane that the job has now: it shall not stand behind others again."""
        place = received.place
        for event in outcomes.events_of(outcome):
            lane = place.lane and self._on.control.lane(outcome.job_id, place.lane)
            with span("publish", {names.KIND: event.kind}, parent=outcome.traceparent):
                await self._on.publisher.publish(event, lane, place.partition)

    def _remember(self, key: Key) -> None:
        self._published[key] = None
        if len(self._published) > _REMEMBERED:
            self._published.popitem(last=False)
