"""One process of the world: the real intake and engine, on fakes that can fail at every step."""

import sys
from collections.abc import Sequence
from typing import Any, cast

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError

from shared.bus import outcomes
from shared.bus.control import Control
from shared.bus.engine import Engine
from shared.bus.intake import Intake
from shared.bus.kafka import KafkaPublisher
from shared.bus.platform import Platform
from shared.bus.slots import Slots
from shared.bus.tests import virtual_time
from shared.bus.tests.reaching import Store, Workers
from shared.bus.tests.witness import Witness
from shared.bus.tests.world import Record, World
from shared.bus.watch import Watch
from shared.errors import Unavailable
from shared.events.models import Common, Lane
from shared.events.wire import Event
from shared.testing import toy

_POLL_S = 0.5
_TOPICS = toy.topics()


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
        unit = event.data.job_id, event.data.run, event.data.stage
        assert not self._world.stopped(*unit[:2])
        kept = outcomes.read(self._world.store, *unit)
        assert kept  # outcome, then publish
        assert event.id in {made.id for made in kept.events}
        told = self._world.controls.get(event.data.job_id)
        if lane and told and told.lane:
            assert lane is told.lane
        await self._world.order.wait(self._process, f"publishes {event.kind}")
        self._world.step(self._process)
        self._world.publish(event, lane, partition or 0)
        self._world.step(self._process)

    async def unreadable(self, record: Record, code: str) -> None:
        why = sys.exception()
        if not (isinstance(why, Unavailable) and self._world.may_set_aside):
            self._process.wrong = why
            raise AssertionError(code)
        self._world.set_aside.append((self._process.name, record))
        self._process.witness.forget(record)


class _Consumer:
    """What the intake uses of aiokafka's consumer."""

    def __init__(self, process: "Process") -> None:
        self._process, self._world = process, process.world
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._names: Sequence[str] = ()
        self._listener: Any = None
        self._generation = 0

    def subscribe(self, names: Sequence[str], listener: Any) -> None:
        self._names, self._listener = names, listener
        self._world.rebalance(self._process.name)

    def own(self, partitions: set[int]) -> None:
        """A rebalance: all is revoked, and what comes begins at the committed position."""
        if not self._listener:
            return
        self._generation += 1
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
        wait_s = _POLL_S if timeout_ms else 0
        await self._world.order.news(self._process, lambda: bool(self._news()), wait_s)
        found = self._news()
        for place, new in found.items():
            self._positions[place] += len(new)
            self._process.witness.hear(new)
        if found or self._process.dead:
            self._world.step(self._process)
        return found

    def _news(self) -> dict[TopicPartition, list[Record]]:
        return {
            place: new
            for place, position in sorted(self._positions.items())
            if place not in self._paused and (new := self._world.logs[place][position:][:2])
        }

    async def commit(self, ends: dict[TopicPartition, int]) -> None:
        generation = self._generation
        await self._world.order.wait(self._process, "commits")
        self._world.step(self._process)
        if generation != self._generation:
            raise CommitFailedError
        for place, end in ends.items():
            self._world.check_commit(self._process.name, place, end)
        self._world.step(self._process)


class Process:
    """One replica of a service, from its start to its death."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name, self.dead = world, name, False
        self.wrong: BaseException | None = None
        self.control = Control()
        for known in world.controls.values():
            self.control.apply(known)
        self.consumer = _Consumer(self)
        self.witness = Witness(world, name)
        store, publisher, watch = Store(self), _Publisher(self), Watch(virtual_time.clock)
        platform = Platform(
            service=toy.CATALOG[name],
            topics=_TOPICS,
            store=store,
            executor=Workers(self, store),
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
            await self._intake.run(_TOPICS, self._kinds)
        except BaseException:
            if self.wrong:
                raise self.wrong from None
            if not self.dead:
                raise
            self.world.processes.remove(self)
