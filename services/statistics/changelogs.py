"""The topics that hold the service's own state: made before Faust starts, and read whole.

Faust gives each replica the state of its partitions. Figures are of the whole system, so every
replica also reads the changelogs whole, and so can answer for everything.
"""

import asyncio
import json
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from services.statistics.facts import Fact
from services.statistics.hours import Hour, place_of
from services.statistics.windows import Kept
from shared.bus.kafka import read_whole
from shared.telemetry.logs import logger

APP = "statistics"
FACTS, HOURS, POSITIONS = "facts", "hours", "positions"
TABLES = (FACTS, HOURS, POSITIONS)
LARGEST_RECORD = 8 * 1024 * 1024
"""Bytes: an hour of one partition with some hundred thousand events."""

_CONFIGS = {
    "cleanup.policy": "compact",
    "max.message.bytes": str(LARGEST_RECORD),
    "segment.ms": str(3_600_000),
    "segment.bytes": str(32 * 1024 * 1024),
    "delete.retention.ms": str(3_600_000),
}
"""Small segments: Kafka compacts none that it still writes to."""


def topic_of(table: str) -> str:
    """The name that Faust gives to a table's changelog."""
    return f"{APP}-{table}-changelog"


async def create(bootstrap: str, partitions: int, replication: int) -> None:
    """Create what is missing, with as many partitions as the events' topics. Kafka's errors."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        known = set(await admin.list_topics())
        missing = [
            NewTopic(topic_of(table), partitions, replication, topic_configs=_CONFIGS)
            for table in TABLES
            if topic_of(table) not in known
        ]
        if missing:
            for _, code, *_ in (await admin.create_topics(missing)).topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise for_code(code)
    finally:
        await admin.close()


def apply(kept: Kept, table: str, key: str, value: Any) -> None:
    """Take over one record of a table's changelog; None removes."""
    if table == POSITIONS:
        topic, _, partition = key.rpartition("/")
        kept.positions[topic, int(partition)] = int(value)
    elif table == FACTS:
        if value is None:
            kept.facts.pop(key, None)
        else:
            kept.facts[key] = Fact.from_json(value)
    elif value is None:
        kept.hours.pop(place_of(key), None)
    else:
        kept.hours[place_of(key)] = Hour.from_json(value)


async def follow(
    bootstrap: str, table: str, partitions: int, kept: Kept, caught_up: asyncio.Event
) -> None:
    """Keep `kept` as the table's changelog says, until cancelled."""

    def on_record(record: "ConsumerRecord[bytes, bytes]") -> None:
        value = json.loads(record.value) if record.value is not None else None
        apply(kept, table, json.loads(record.key or b'""'), value)

    while True:
        try:
            await read_whole(bootstrap, topic_of(table), partitions, on_record, caught_up)
        except KafkaError as error:
            logger().warning("changelog lost", table=table, error=type(error).__name__)
            await asyncio.sleep(1)
