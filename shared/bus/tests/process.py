"""One process of the world: the real intake and engine, on fakes that can fail at every step."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from aiokafka import TopicPartition

from shared.bus.control import Control
from shared.bus.engine import Engine
from shared.bus.execution import Down, Verdict, judge
from shared.bus.intake import Intake
from shared.bus.kafka import KafkaPublisher
from shared.bus.platform import Platform
from shared.bus.slots import Slots
from shared.bus.tests import virtual_time
from shared.bus.tests.world import Record, World
from shared.bus.watch import Watch
from shared.bus.work import Work
from shared.errors import Unavailable
from shared.events.models import Common, Lane
from shared.events.wire import Event
from shared.store.memory import MemoryStore
from shared.testing import toy

_POLL_S = 2.0


class _Store(MemoryStore):
    """The world's store, as a process reaches it."""

    def __init__(self, process: "Process") -> None:
        super().__init__()
        self._process = process
        self._objects = process.world.store._objects

    def _reach(self) -> None:
        self._process.world.step(self._process)
        self.probe()

    def probe(self) -> None:
        if self._process.world.is_down("store"):
            raise Unavailable("store")

    def create(self, key: str, data: bytes) -> bool:
        self._reach()
        made = super().create(key, data)
        self._reach()  # written, and the answer lost
        return made

    def mark(self, key: str) -> None:
        self._reach()
        super().mark(key)

    def read(self, key: str) -> bytes | None:
        self._reach()
        return super().read(key)

    def keys(self, prefix: str) -> list[str]:
        self._reach()
        return super().keys(prefix)

    def delete(self, key: str) -> None:
        self._reach()
        super().delete(key)


class _Workers:
    """Runs the toy handlers; some take longer than others."""

    def __init__(self, process: "Process") -> None:
        self._process, self._world = process, process.world
        self._handle = toy.ports(self._world.store)[process.name].handle

    async def execute(self, work: Work) -> Verdict:
        self._world.step(self._process)
        assert self._world.may_run(work.job_id, work.run, work.stage)
        self._world.starts[work.job_id, work.run, work.stage] += 1
        await asyncio.sleep(len(work.stage) % 3)
        self._world.step(self._process)
        if self._world.is_down("triton"):
            return Down("triton")
        return judge(self._fail if work.stage == self._world.broken else self._handle, work)

    @staticmethod
    def _fail(work: Work) -> Any:
        raise ValueError(work.stage)

    async def is_up(self, what: str) -> bool:
        return not self._world.is_down(what)


class _Publisher:
    def __init__(self, process: "Process") -> None:
        self._process, self._world = process, process.world

    async def publish(
        self,
        event: Event,
        lane: Lane | None,
        partition: int | None,
        key: str | None = None,  # noqa: ARG002 - the port's
    ) -> None:
        assert isinstance(event.data, Common)
        assert not self._world.stopped(event.data.job_id, event.data.run)
        self._world.step(self._process)
        await asyncio.sleep(0)
        self._world.publish(event, lane, partition or 0)
        self._world.step(self._process)

    async def unreadable(self, record: Record, code: str) -> None:  # noqa: ARG002
        raise AssertionError(code)


class _Consumer:
    """What the intake uses of aiokafka's consumer."""

    def __init__(self, process: "Process") -> None:
        self._process, self._world = process, process.world
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._names: Sequence[str] = ()
        self._listener: Any = None

    def subscribe(self, names: Sequence[str], listener: Any) -> None:
        self._names, self._listener = names, listener
        self._world.rebalance(self._process.name)

    def own(self, partitions: set[int]) -> None:
        """A rebalance: all is revoked, and what comes begins at the committed position."""
        if not self._listener:
            return
        self._listener.on_partitions_revoked(set(self._positions))
        places = {TopicPartition(name, number) for name in self._names for number in partitions}
        group = self._process.name
        self._positions = {place: self._world.committed[group, place] for place in places}
        self._paused.clear()
        self._listener.on_partitions_assigned(places)

    def assignment(self) -> set[TopicPartition]:
        return set(self._positions)

    def pause(self, place: TopicPartition) -> None:
        self._paused.add(place)

    def resume(self, place: TopicPartition) -> None:
        self._paused.discard(place)

    async def getmany(self, timeout_ms: int, **_: int) -> dict[TopicPartition, list[Record]]:
        self._world.step(self._process)
        found = {}
        for place, position in sorted(self._positions.items()):
            if place not in self._paused and (new := self._world.logs[place][position:][:2]):
                found[place] = new
                self._positions[place] += len(new)
        await asyncio.sleep(_POLL_S if timeout_ms and not found else 0)
        return found

    async def commit(self, ends: dict[TopicPartition, int]) -> None:
        self._world.step(self._process)
        for place, end in ends.items():
            self._world.check_commit(self._process.name, place, end)
        self._world.step(self._process)


class Process:
    """One replica of a service, from its start to its death."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name, self.dead = world, name, False
        self.control = Control()
        for known in world.controls.values():
            self.control.apply(known)
        self.consumer = _Consumer(self)
        publisher, watch = _Publisher(self), Watch(virtual_time.clock)
        platform = Platform(
            service=toy.CATALOG[name],
            topics=toy.topics(),
            store=_Store(self),
            executor=_Workers(self),
            publisher=publisher,
            control=self.control,
            slots=Slots(2),
            watch=watch,
            clock=virtual_time.clock,
        )
        bus = cast("KafkaPublisher", publisher)
        self._intake = Intake(cast("Any", self.consumer), bus, Engine(platform), watch, 4)
        self._kinds = toy.CATALOG[name].consumes

    async def live(self) -> None:
        """Until it is killed; what its own code raises is an error of the test."""
        try:
            await self._intake.run(toy.topics(), self._kinds)
        except BaseException:
            if not self.dead:
                raise
            self.world.processes.remove(self)
