"""What a benchmark hears on the bus: a job has ended when others can know that it has."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from shared.bus.kafka import KafkaPublisher, group_consumer, read_facts, start_publisher
from shared.bus.received import Received
from shared.catalog import load_topics
from shared.events.models import Common, DicomDelivered, JobFinished, Lane

_JOB_S = 300.0

Hear = Callable[[Sequence[Received]], Awaitable[None]]


@dataclass(frozen=True)
class Ended:
    """How a job was heard to end: `at` is when, in seconds since 1970."""

    lane: Lane
    at: float
    trace_id: str
    objects: int
    """DICOM objects that it made."""


@dataclass
class Heard:
    """What became of each case, of which there is one job."""

    clock: Callable[[], float] = time.time
    _begun: dict[str, Lane] = field(default_factory=dict)
    _ended: dict[str, Ended] = field(default_factory=dict)
    _delivered: dict[str, set[str]] = field(default_factory=dict)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def hear(self, batch: Sequence[Received]) -> None:
        """Remember what began, ended and was delivered. Raises when a job did not complete."""
        now = self.clock()
        for event in (received.event for received in batch):
            data = event.data
            if isinstance(data, JobFinished):
                if data.status != "completed":
                    raise RuntimeError(f"a job is {data.status}: {data.reasons}")
                trace = event.traceparent.split("-")[1]
                objects = sum(name.endswith(".dicom") for name in data.payloads)
                self._ended[data.case_id] = Ended(data.lane, now, trace, objects)
            elif isinstance(data, DicomDelivered):
                if data.status == "delivered":
                    self._delivered.setdefault(data.case_id, set()).add(data.sop_instance_uid)
            elif isinstance(data, Common):
                self._begun[data.case_id] = data.lane
        async with self._news:
            self._news.notify_all()

    async def end_of(self, case: str) -> Ended:
        """How the job of the case ended, when it has. Raises TimeoutError."""
        await self._until(lambda: case in self._ended)
        return self._ended[case]

    def is_delivered(self, case: str) -> bool:
        """Whether its job has ended and all objects of it are at their destination."""
        ended = self._ended.get(case)
        return ended is not None and len(self._delivered.get(case, ())) == ended.objects

    async def delivery_of(self, case: str) -> None:
        """Return when the case is delivered. Raises TimeoutError."""
        await self._until(lambda: self.is_delivered(case))

    async def _until(self, so: Callable[[], bool]) -> None:
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(so), _JOB_S)

    def queued(self, lane: Lane) -> int:
        """Jobs that ingest has announced and that have not ended."""
        return sum(began is lane and case not in self._ended for case, began in self._begun.items())

    def ended(self, lane: Lane) -> int:
        return sum(ended.lane is lane for ended in self._ended.values())


@asynccontextmanager
async def listening(
    bootstrap: str, kinds: Sequence[str], hear: Hear
) -> AsyncIterator[KafkaPublisher]:
    """Hear events of these kinds until the block ends; gives a publisher of its own."""
    publisher, producer = await start_publisher(bootstrap, "benchmark")
    consumer = group_consumer(bootstrap, "benchmark", "1")
    await consumer.start()
    try:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read_facts(consumer, publisher, load_topics(), kinds, hear))
            while not consumer.assignment():
                await asyncio.sleep(0.05)
            yield publisher
            reading.cancel()
    finally:
        await consumer.stop()
        await producer.stop()
