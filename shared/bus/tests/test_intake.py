"""How fast a lane that was full is read on, and when a service stops to read."""

import asyncio
from collections import Counter
from typing import Any, cast

from aiokafka import TopicPartition

from shared.bus.control import Control
from shared.bus.engine import Engine as RealEngine
from shared.bus.execution import Defect, Verdict
from shared.bus.intake import Intake
from shared.bus.memory import MemoryBus
from shared.bus.platform import Platform
from shared.bus.slots import Slots
from shared.bus.tests import virtual_time
from shared.bus.tests.world import Record
from shared.bus.watch import Watch
from shared.bus.work import Work
from shared.events.models import Lane
from shared.events.wire import encode
from shared.store.memory import MemoryStore
from shared.testing import toy

PLACE = TopicPartition("clarion.input-ready.v1.routine", 0)
POLL_S = 0.5


class Consumer:
    """One partition whose records were all fetched; a poll while it is paused waits in vain."""

    def __init__(self, records: list[Record]) -> None:
        self._records, self._paused = records, False
        self.committed = 0

    def subscribe(self, _: Any, listener: Intake) -> None:
        listener.on_partitions_assigned({PLACE})

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    def pause(self, _: TopicPartition) -> None:
        self._paused = True

    def resume(self, _: TopicPartition) -> None:
        self._paused = False

    async def getmany(
        self, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Record]]:
        if self._paused or not self._records:
            await asyncio.sleep(timeout_ms / 1000)
            return {}
        taken, self._records = self._records[:max_records], self._records[max_records:]
        return {PLACE: taken}

    async def commit(self, ends: dict[TopicPartition, int]) -> None:
        self.committed = ends[PLACE]


class Engine:
    """Needs a hundredth of a second for each event."""

    def __init__(self) -> None:
        self.ended_at: list[float] = []

    async def handle(self, _: object) -> None:
        await asyncio.sleep(0.01)
        self.ended_at.append(asyncio.get_running_loop().time())


def test_a_lane_that_was_full_is_read_on_as_soon_as_half_of_it_is_done() -> None:
    headers, value = encode(toy.input_ready(MemoryStore(), lane=Lane.ROUTINE))
    records = [Record(PLACE.topic, 0, number, headers, value) for number in range(20)]

    async def story() -> tuple[int, float, int]:
        consumer, engine = Consumer(records), Engine()
        bus = cast("Any", None)
        intake = Intake(
            cast("Any", consumer), bus, cast("Any", engine), Watch(virtual_time.clock), 4
        )
        reading = asyncio.create_task(intake.run(toy.topics(), ("input-ready",)))
        await asyncio.sleep(60)
        reading.cancel()
        return len(engine.ended_at), engine.ended_at[-1], consumer.committed

    done, seconds, committed = virtual_time.run(story())
    assert (done, committed) == (20, 20)
    assert seconds < POLL_S


class _Broken:
    """Workers whose every attempt fails, after a while."""

    def __init__(self) -> None:
        self.attempts: Counter[str] = Counter()

    async def execute(self, work: Work) -> Verdict:
        self.attempts[work.job_id] += 1
        await asyncio.sleep(20)
        return Defect("defect", "ValueError", "", "")

    async def is_up(self, what: str, lane: Lane) -> bool:  # noqa: ARG002 - the port's
        raise AssertionError(what)


def test_a_service_halts_that_fails_study_after_study_however_long_each_failure_takes() -> None:
    store, bus = MemoryStore(), MemoryBus()
    jobs = [toy.input_ready(store, manifest=f"{number}".encode()) for number in range(80)]
    records = [Record(PLACE.topic, 0, n, *encode(event)) for n, event in enumerate(jobs)]

    async def story() -> list[int]:
        watch, workers, failed = Watch(virtual_time.clock), _Broken(), list[int]()
        platform = Platform(
            service=toy.CATALOG["reader"],
            topics=toy.topics(),
            store=store,
            executor=workers,
            publisher=bus,
            control=Control(),
            slots=Slots(2),
            watch=watch,
            clock=virtual_time.clock,
        )
        consumer = cast("Any", Consumer(records))
        intake = Intake(consumer, cast("Any", bus), RealEngine(platform), watch, 16)
        reading = asyncio.create_task(intake.run(toy.topics(), ("input-ready",)))
        for _ in range(2):
            await asyncio.sleep(10_000)
            failed.append(len(bus.events("stage-failed")))
            watch.resume()
        reading.cancel()
        return failed

    once, twice = virtual_time.run(story())
    assert 20 <= once <= 24  # what was in its last attempt ends too
    assert 40 <= twice <= 48
