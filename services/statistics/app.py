"""The Faust application: one agent, three tables with changelogs, no web server.

What Faust 0.15.3 does not promise, and what is done about it:

- It commits an offset when the agent asks for the next event, whatever became of the changelog:
  its producer's flush gives up after 0.1 s, and returns with an empty buffer while the last record
  is still on its way. So its offsets are not trusted: our own positions move when the broker has
  acknowledged the facts before them (`keeping`), once a second (`gathering`).
- A changelog and an offset are not written at once. Each change is therefore an upsert that
  follows from the event alone (`facts`), or adds only what is missing (`hours`).
- It may leave events out after a rebalance, and commit past them: see `keeping`.
- It may throw changes away that its recovery waits for: see `fetching`, and then `watchdog`.
"""

import asyncio
from functools import partial
from typing import Any, cast

import faust
from faust.types import TP, EventT, StreamT

from services.statistics.changelogs import APP, FACTS, HOURS, LARGEST_RECORD, POSITIONS, TABLES
from services.statistics.fetching import OneAtATimeTransport
from services.statistics.gathering import Gathering
from services.statistics.keeping import Keeper, Record, reader
from services.statistics.watchdog import is_ready
from shared.clock import Clock
from shared.settings import Settings
from shared.telemetry.logs import logger

SESSION_S = 30.0
"""Shorter, and a busy machine has each replica thrown out of the group before it has recovered. A
replica that is started again under its name does not wait for the end of its session."""
_HEARTBEAT_S = 2.5


class DurableTable(faust.Table[str, Any]):
    """A table whose changes name their partition, and can be waited for until they are durable."""

    def __post_init__(self) -> None:
        self._under_way: list[tuple[int, str, Any]] = []

    def put(self, key: str, value: Any, partition: int) -> None:
        """Set a key, also where no event is at hand."""
        self.data[key] = value
        self._under_way.append((partition, key, self.send_changelog(partition, key, value)))

    def drop(self, key: str, partition: int) -> None:
        """Remove a key, if it is there."""
        if self.data.pop(key, None) is not None:
            self._under_way.append((partition, key, self._send(partition, key)))

    async def durable(self) -> None:
        """Return when the broker has every change; what it refused is sent again as it is now."""
        while self._under_way:
            partition, key, sent = self._under_way.pop(0)
            try:
                await sent
            except Exception as error:
                logger().warning("change not kept", error=type(error).__name__)
                await asyncio.sleep(1)
                self._under_way.append((partition, key, self._send(partition, key)))

    def _send(self, partition: int, key: str) -> Any:
        if key in self.data:
            return self.send_changelog(partition, key, self.data[key])
        return self.send_changelog(partition, key, None, value_serializer="raw")


def build(
    settings: Settings, topics: tuple[str, ...], partitions: int, clock: Clock
) -> tuple[faust.App, Keeper, Gathering]:
    """The application, which reads `topics` once it is started, and who keeps what it reads."""
    app = _app(settings, partitions)
    tables = {name: _table(app, name, partitions) for name in TABLES}
    read_from = reader(settings.kafka)
    keeper = Keeper(tables[FACTS], tables[HOURS], tables[POSITIONS], read_from, clock)
    gathering = Gathering(keeper.keep, partial(_owns, app))

    @app.agent(app.topic(*topics, key_type=bytes, value_type=bytes))
    async def keep(stream: StreamT[bytes]) -> None:
        async for event in stream.events():
            await gathering.add(_record(event))

    return app, keeper, gathering


def _app(settings: Settings, partitions: int) -> faust.App:
    app = faust.App(
        APP,
        broker=f"kafka://{settings.kafka.replace(',', ';kafka://')}",
        store="memory://",
        Table=DurableTable,
        key_serializer="raw",
        value_serializer="raw",
        broker_session_timeout=SESSION_S,
        broker_heartbeat_interval=_HEARTBEAT_S,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"{APP}-{settings.instance}",
        producer_max_request_size=LARGEST_RECORD,
        topic_partitions=partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_wait_empty=False,
        web_enabled=False,
    )
    app.transport = OneAtATimeTransport(app.conf.broker_consumer, app)
    return app


def _table(app: faust.App, name: str, partitions: int) -> DurableTable:
    return cast(DurableTable, app.Table(name, partitions=partitions, key_type=str))


def _owns(app: faust.App, record: Record) -> bool:
    """Whether the record's partition is this replica's, and its tables are complete."""
    return is_ready(app) and TP(record.topic, record.partition) in app.consumer.assignment()


def _record(event: EventT[bytes]) -> Record:
    message = event.message
    headers = message.headers or {}
    pairs = headers if isinstance(headers, list) else list(dict(headers).items())
    return Record(message.topic, message.partition, message.offset, pairs, message.value)
