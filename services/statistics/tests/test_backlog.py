"""Whose offsets count, and what counts where there is none yet."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from services.statistics.alerts import Progress, standing_services
from services.statistics.backlog import LagReader, progress, read_of
from shared.catalog import Service, Topic, Topics

NOW, BEFORE = "clarion.mask-ready.v1.stat", "clarion.mask-ready.v0.stat"
BULK = "clarion.mask-ready.v1.bulk"
SERVICES = {
    name: Service(service=name, summary="", command="", consumes=("mask-ready",))
    for name in ("ratio", "statistics")
}
TOPICS = Topics(partitions=2, topics={"mask-ready": Topic()})


@dataclass
class Broker:
    """Partitions from a first offset on and before another; what each group has committed."""

    logs: Mapping[TopicPartition, tuple[int, int]]
    committed: Mapping[TopicPartition, int] = field(default_factory=dict)

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def close(self) -> None: ...

    async def list_consumer_group_offsets(
        self,
        group_id: str,  # noqa: ARG002 - of each group the same
    ) -> Mapping[TopicPartition, OffsetAndMetadata]:
        return {place: OffsetAndMetadata(at, "") for place, at in self.committed.items()}

    async def end_offsets(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: self.logs.get(place, (0, 0))[1] for place in places}

    async def beginning_offsets(
        self, places: Collection[TopicPartition]
    ) -> dict[TopicPartition, int]:
        return {place: self.logs.get(place, (0, 0))[0] for place in places}


def _reader(broker: Broker) -> LagReader:
    return LagReader(broker, broker, SERVICES, TOPICS)


def test_a_topic_that_is_not_read_any_more_counts_no_more() -> None:
    offsets = {TopicPartition(NOW, 1): 7, TopicPartition(NOW, 2): -1, TopicPartition(BEFORE, 1): 9}
    assert read_of({NOW}, offsets) == {TopicPartition(NOW, 1): 7}


async def test_what_lies_where_a_group_has_no_offset_waits_too() -> None:
    """From the first that is still there on; beside what lies after an offset."""
    logs = {TopicPartition(NOW, 0): (0, 9), TopicPartition(NOW, 1): (100, 500)}
    logs[TopicPartition(BULK, 1)] = (0, 3)
    reading = await _reader(Broker(logs, {TopicPartition(NOW, 0): 7})).read({})
    told = {lane: events for (name, lane), events in reading.lags.items() if name == "ratio"}
    assert told == {"stat": 2 + 400, "routine": 0, "bulk": 3}
    assert reading.done["ratio"] == 7


async def test_statistics_itself_is_behind_where_it_has_no_position() -> None:
    logs = {TopicPartition(NOW, 0): (0, 9), TopicPartition(NOW, 1): (2, 5)}
    reading = await _reader(Broker(logs)).read({(NOW, 0): 8})
    assert reading.lags["statistics", "stat"] == 1 + 3
    assert {place: end for place, end in reading.ends.items() if end} == {(NOW, 0): 9, (NOW, 1): 5}


async def test_a_service_that_never_gets_on_stands_though_old_events_go() -> None:
    """It has committed nothing; what retention removes meanwhile is nothing that it did."""
    found: Mapping[str, Progress] = {}
    last = None
    for now, first in ((0.0, 0), (300.0, 2), (601.0, 4)):
        reading = await _reader(Broker({TopicPartition(NOW, 0): (first, 500)})).read({})
        found, last = progress(found, last, reading, now), reading
    told = [(each.key["service"], each.figures["lag"]) for each in standing_services(found, 601.0)]
    assert told == [("ratio", 496.0), ("statistics", 496.0)]
