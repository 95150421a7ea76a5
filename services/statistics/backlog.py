"""What waits: how far each service's consumer group is behind the ends of its topics.

Faust commits late and sometimes not at all: statistics' own offsets are the positions it keeps.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.statistics.alerts import Progress
from services.statistics.changelogs import APP
from shared.catalog import Catalog, Topics
from shared.events.models import Lane

Lags = Mapping[tuple[str, str], int]
"""Events that are not done, by service and lane: what waits, and what is in work."""


@dataclass(frozen=True)
class Reading:
    """Lags at one moment, and how much each service has done so far (its offsets' sum)."""

    lags: Lags
    done: Mapping[str, int]


class LagReader:
    """Asks the broker; open from `start` to `stop`."""

    def __init__(self, bootstrap: str, catalog: Catalog, topics: Topics) -> None:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
        self._topics = {
            service.service: {
                name: _lane(name) for kind in service.consumes for name in topics.names(kind)
            }
            for service in catalog.values()
            if service.consumes
        }

    async def start(self) -> None:
        """Connect. Raises Kafka's errors."""
        await self._admin.start()
        await self._consumer.start()

    async def stop(self) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def read(self, own: Mapping[tuple[str, int], int]) -> Reading:
        """Every service's lags now; one that has done nothing yet has none. Kafka's errors.

        `own` are statistics' positions, by topic and partition.
        """
        done = {name: await self._committed(name) for name in self._topics if name != APP}
        done[APP] = read_of(
            self._topics[APP], {TopicPartition(*place): offset for place, offset in own.items()}
        )
        places = {place for committed in done.values() for place in committed}
        ends = await self._consumer.end_offsets(list(places)) if places else {}
        lags: dict[tuple[str, str], int] = {}
        for service, committed in done.items():
            for place, offset in committed.items():
                at = (service, self._topics[service][place.topic])
                lags[at] = lags.get(at, 0) + max(0, ends[place] - offset)
        return Reading(lags, {name: sum(committed.values()) for name, committed in done.items()})

    async def _committed(self, service: str) -> dict[TopicPartition, int]:
        found = await self._admin.list_consumer_group_offsets(service)
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
    """A service stands for as long as it has work and its offsets do not move."""
    found = {}
    for service, done in reading.done.items():
        lag = sum(count for (name, _), count in reading.lags.items() if name == service)
        stands = bool(lag and last and last.done.get(service) == done and service in before)
        since = before[service].stands_since if stands and before[service].lag else now
        found[service] = Progress(lag, since)
    return found
