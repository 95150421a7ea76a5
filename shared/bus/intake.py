"""Reads a service's topics from Kafka, keeps the engine busy, and commits what is done."""

import asyncio
from collections import Counter
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition

from shared.bus.committing import Committer
from shared.bus.engine import Engine
from shared.bus.kafka import KafkaPublisher, lane_of, place_of, received_of
from shared.bus.offsets import Offsets
from shared.bus.watch import Watch
from shared.catalog import Topics
from shared.errors import Unavailable
from shared.events.models import Lane
from shared.events.wire import Undecodable
from shared.telemetry.logs import logger, place_of_error

_POLL_MS = 500
_EVENTS = "(events)"
"""Counts those that a broken file keeps from being handled; no stage has this name."""
Where = tuple[str, int, int]


class SetAsideFailed(Exception):
    """An event could neither be handled nor set aside; it was not committed, and comes again."""


class Intake(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka's class is untyped
    """At least once: a record's offset moves only when its units of work have ended.

    A lane whose limit of records in work is reached pauses, alone, until half of it is done: then
    what was fetched meanwhile is taken at once. A record that a rebalance
    delivers again while it is in work is matched to that work.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        publisher: KafkaPublisher,
        engine: Engine,
        watch: Watch,
        limit: int,
    ) -> None:
        self._consumer, self._publisher = consumer, publisher
        self._engine, self._watch, self._limit = engine, watch, limit
        self._offsets = Offsets()
        self._working: dict[Where, asyncio.Task[None]] = {}
        self._load: Counter[Lane | None] = Counter()
        self._committer = Committer(consumer, self._offsets)
        self._full: frozenset[Lane | None] = frozenset()
        self._throttled: object = None
        self._room = asyncio.Event()
        self._broken = asyncio.Event()
        self.assigned = asyncio.Event()

    async def run(self, topics: Topics, kinds: Iterable[str]) -> None:
        """Read until cancelled."""
        names = [name for kind in kinds for name in topics.names(kind)]
        self._consumer.subscribe(names, listener=self)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._committer.run())
            group.create_task(self._refill())
            while not self._broken.is_set():
                await self._read(_POLL_MS)
            raise SetAsideFailed

    async def drain(self, within_s: float) -> None:
        """Let what is in work end, and commit it; for a stop that was asked for."""
        if self._working:
            await asyncio.wait(self._working.values(), timeout=within_s)
        await self._committer.last()

    async def _read(self, wait_ms: int) -> None:
        self._throttle()
        batch = await self._consumer.getmany(timeout_ms=wait_ms, max_records=self._limit)
        for record in (record for part in batch.values() for record in part):
            self._take(record)
        self._throttle()

    async def _refill(self) -> None:
        """Whoever waits for new records is not woken by those that a paused lane has kept."""
        while True:
            await self._room.wait()
            self._room.clear()
            await self._read(0)

    def _take(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        where = (record.topic, record.partition, record.offset)
        self._offsets.taken(*where)
        if where in self._working:
            return
        lane = place_of(record).lane
        self._load[lane] += 1
        task = asyncio.create_task(self._work(record))
        self._working[where] = task
        task.add_done_callback(lambda _: self._ended(where, lane, task))

    def _ended(self, where: Where, lane: Lane | None, task: asyncio.Task[None]) -> None:
        self._load[lane] -= 1
        if lane in self._full and self._load[lane] <= self._limit // 2:
            self._room.set()
        del self._working[where]
        if task.cancelled():
            return
        if task.exception():
            self._broken.set()
            return
        self._offsets.done(*where)
        self._committer.moved()

    async def _work(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        try:
            await self._engine.handle(received_of(record))
            self._watch.succeeded(_EVENTS)
        except Undecodable as error:
            await self._publisher.unreadable(record, error.code)
        except Unavailable as error:  # of a file of this event's: the store answers its probe
            self._watch.failed(_EVENTS)
            await self._set_aside(record, "store-failed", error)
        except Exception as error:
            await self._set_aside(record, "unusable-event", error)

    async def _set_aside(
        self, record: "ConsumerRecord[bytes, bytes]", code: str, error: Exception
    ) -> None:
        logger().error("event set aside", code=code, **place_of_error(error))
        await self._publisher.unreadable(record, code)

    def _throttle(self) -> None:
        """Pause each lane that has enough in work, or all while intake is closed."""
        self._full = frozenset(lane for lane, load in self._load.items() if load >= self._limit)
        wanted = (self._watch.open, self._full)
        if wanted == self._throttled:
            return
        for place in self._consumer.assignment():
            if not self._watch.open or lane_of(place.topic) in self._full:
                self._consumer.pause(place)
            else:
                self._consumer.resume(place)
        self._throttled = wanted

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Nothing is drained here: work goes on, and its outcomes answer the next owner."""
        self._offsets.lost({(place.topic, place.partition) for place in revoked})

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """The next poll applies the pauses again."""
        self._throttled = None
        logger().info("partitions assigned", count=len(assigned))
        self.assigned.set()
