"""The toy pipeline on an inference server that goes down under some of its calls."""

import asyncio
from collections.abc import Callable, Sequence

from shared.bus import outcomes
from shared.bus.control import Control
from shared.bus.engine import Engine
from shared.bus.execution import Down, Verdict, judge
from shared.bus.outcomes import Outcome
from shared.bus.platform import Platform
from shared.bus.received import Place, Received
from shared.bus.slots import Slots
from shared.bus.tests import virtual_time
from shared.bus.watch import Watch
from shared.bus.work import Work
from shared.catalog import topic_name
from shared.events.models import Lane
from shared.events.wire import Event
from shared.store.memory import MemoryStore
from shared.testing import toy

_STEP_S = 0.5


class Triton:
    """What every worker calls: a call lasts, and ends when the server goes down meanwhile."""

    def __init__(self, breaks: Callable[[Work], bool], outage_s: float = 8.0) -> None:
        self._breaks, self._outage_s = breaks, outage_s
        self._back_at, self._outages = 0.0, 0
        self.in_vain: list[str] = []
        """The stages that called while it was down already."""
        self.called = asyncio.Event()

    @property
    def is_up(self) -> bool:
        return asyncio.get_running_loop().time() >= self._back_at

    def go_down(self) -> None:
        """For a while; every call that it has ends in vain."""
        self._outages += 1
        self._back_at = asyncio.get_running_loop().time() + self._outage_s

    async def call(self, work: Work) -> bool:
        """Whether it answered."""
        if not self.is_up:
            self.in_vain.append(work.stage)
            return False
        self.called.set()
        before = self._outages
        if self._breaks(work):
            await asyncio.sleep(2)
            self.go_down()
            return False
        for _ in range(12):
            await asyncio.sleep(_STEP_S)
            if self._outages > before:
                return False
        return True


class _Workers:
    """Run a service's toy handler, when Triton has answered."""

    def __init__(self, name: str, store: MemoryStore, triton: Triton) -> None:
        self._handle, self._triton = toy.ports(store)[name].handle, triton

    async def execute(self, work: Work) -> Verdict:
        if not await self._triton.call(work):
            return Down("triton")
        return judge(self._handle, work)

    async def is_up(self, what: str, lane: Lane) -> bool:  # noqa: ARG002 - the port's
        return self._triton.is_up


class House:
    """One process of each toy service; what is published is handled at once."""

    def __init__(self, triton: Triton, workers: int = 2) -> None:
        self.store = MemoryStore()
        self._handling: set[asyncio.Task[None]] = set()
        self._engines = [self._engine(name, triton, workers) for name in toy.CATALOG]

    def _engine(self, name: str, triton: Triton, workers: int) -> tuple[Sequence[str], Engine]:
        platform = Platform(
            service=toy.CATALOG[name],
            topics=toy.topics(),
            store=self.store,
            executor=_Workers(name, self.store, triton),
            publisher=self,
            control=Control(),
            slots=Slots(workers),
            watch=Watch(virtual_time.clock),
            clock=virtual_time.clock,
        )
        return toy.CATALOG[name].consumes, Engine(platform)

    async def publish(
        self,
        event: Event,
        lane: Lane | None,
        partition: int | None,
        key: str | None = None,  # noqa: ARG002 - the port's
    ) -> None:
        received = Received(event, Place(topic_name(event.kind, lane), partition or 0, 0, lane))
        for kinds, engine in self._engines:
            if event.kind in kinds:
                self._handling.add(asyncio.create_task(engine.handle(received)))

    async def begin(self, manifest: bytes) -> str:
        """A job of this study; gives its id."""
        event = toy.input_ready(self.store, manifest=manifest)
        await self.publish(event, Lane.ROUTINE, 0)
        return event.subject

    async def settle(self) -> None:
        """Return when nothing is left to do. Raises what an engine raises."""
        while self._handling:
            await self._handling.pop()

    def ended(self, job: str) -> dict[str, tuple[str, int]]:
        """Each stage's status and attempts."""
        found = (
            (stage, self._outcome(job, stage)) for stage in ("reader", "left", "right", "both")
        )
        return {stage: (held.status, held.attempts) for stage, held in found if held}

    def _outcome(self, job: str, stage: str) -> Outcome | None:
        return outcomes.read(self.store, job, 1, stage)
