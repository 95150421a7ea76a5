"""How fast a lane that was full is read on."""

import asyncio
from typing import Any, cast

from aiokafka import TopicPartition

from shared.bus.intake import Intake
from shared.bus.tests import virtual_time
from shared.bus.tests.world import Record
from shared.bus.watch import Watch
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
