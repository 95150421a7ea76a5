"""What waits: how far each service's consumer group is behind the ends of its topics.

Faust commits late and sometimes not at all: statistics' own offsets are the positions it keeps.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from services.statistics.alerts import Progress
from services.statistics.changelogs import APP
from services.statistics.known import Positions
from shared.catalog import Catalog, Topics
from shared.events.models import Lane

Offsets = Mapping[TopicPartition, int]
Lags = Mapping[tuple[str, str], int]
"""Events that are not done, by service and lane: what waits, and what is in work."""


@dataclass(frozen=True)
class Reading:
    """Lags at one moment, and how much each service has done so far (its own offsets' sum)."""

    lags: Lags
    done: Mapping[str, int]
    ends: Positions = field(default_factory=dict)
    """Of the topics that statistics reads."""


class Groups(Protocol):
    """What is asked of Kafka's admin client."""

    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def list_consumer_group_offsets(
        self, group_id: str
    ) -> Mapping[TopicPartition, OffsetAndMetadata]: ...


class Logs(Protocol):
    """What is asked of a consumer."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def end_offsets(self, places: Collection[TopicPartition]) -> Offsets: ...
    async def beginning_offsets(self, places: Collection[TopicPartition]) -> Offsets: ...


class LagReader:
    """Asks the broker; open from `start` to `stop`."""

    def __init__(self, groups: Groups, logs: Logs, catalog: Catalog, topics: Topics) -> None:
        self._groups, self._logs = groups, logs
        self._partitions = range(topics.partitions)
        self._topics = {
            service.service: {
                name: _lane(name) for kind in service.consumes for name in topics.names(kind)
            }
            for service in catalog.values()
            if service.consumes
        }

    async def start(self) -> None:
        """Connect. Raises Kafka's errors."""
        await self._groups.start()
        await self._logs.start()

    async def stop(self) -> None:
        await self._logs.stop()
        await self._groups.close()

    async def read(self, own: Mapping[tuple[str, int], int]) -> Reading:
        """Every service's lags now. Kafka's errors.

        Where a group has no offset it will begin with the oldest event there is. `own` are
        statistics' positions, by topic and partition.
        """
        done = {name: await self._committed(name) for name in self._topics if name != APP}
        done[APP] = read_of(
            self._topics[APP], {TopicPartition(*place): offset for place, offset in own.items()}
        )
        read = {
            (service, place)
            for service in self._topics
            for place in self._places(service) | done[service].keys()
        }
        ends = await self._logs.end_offsets({place for _, place in read})
        unread = {place for service, place in read if place not in done[service] and ends[place]}
        starts = await self._logs.beginning_offsets(unread)
        lags: dict[tuple[str, str], int] = {}
        for service, place in read:
            at = (service, self._topics[service][place.topic])
            offset = done[service].get(place, starts.get(place, 0))
            lags[at] = lags.get(at, 0) + max(0, ends[place] - offset)
        own_ends = {tuple(at): ends[at] for at in self._places(APP)}
        return Reading(
            lags, {n: sum(committed.values()) for n, committed in done.items()}, own_ends
        )

    def _places(self, service: str) -> set[TopicPartition]:
        return {
            TopicPartition(name, at) for name in self._topics[service] for at in self._partitions
        }

    async def _committed(self, service: str) -> Offsets:
        found = await self._groups.list_consumer_group_offsets(service)
        return read_of(self._topics[service], {place: at.offset for place, at in found.items()})


def read_of(
    topics: Collection[str], offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """How far these topics were read: a service may have read others, before it was changed."""
    return {at: offset for at, offset in offsets.items() if at.topic in topics and offset >= 0}


def _lane(topic: str) -> str:
    suffix = topic.rpartition(".")[2]
    return suffix if suffix in set(Lane) else ""


def progress(
    before: Mapping[str, Progress], last: Reading | None, reading: Reading, now: float
) -> dict[str, Progress]:
    """A service stands for as long as it has work and its offsets do not move; after a clock that
    was ahead, from now on.
    """
    found = {}
    for service, done in reading.done.items():
        lag = sum(count for (name, _), count in reading.lags.items() if name == service)
        stands = bool(lag and last and last.done.get(service) == done and service in before)
        since = before[service].stands_since if stands and before[service].lag else now
        found[service] = Progress(lag, min(since, now))
    return found
