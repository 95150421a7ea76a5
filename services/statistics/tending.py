"""What a replica sees to in its partitions beside the events that Faust brings."""

import asyncio
from collections.abc import Collection, Mapping

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.statistics.keeping import Keeper
from shared.telemetry.logs import logger

_EVERY_S = 5.0
_FOLD_EVERY_ROUNDS = 12
_AT_ONCE = 500
"""Records that are read outside of Faust in one go."""

Positions = dict[TopicPartition, int]


async def tend(app: faust.App, keeper: Keeper, topics: Collection[str], bootstrap: str) -> None:
    """Until cancelled: bring on topics that stand, and fold old facts once a minute."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    before: Positions = {}
    rounds = 0
    try:
        while True:
            await asyncio.sleep(_EVERY_S)
            rounds += 1
            try:
                before = await _bring_on(consumer, keeper, _owned(app, topics), before)
                if rounds % _FOLD_EVERY_ROUNDS == 0:
                    for partition in sorted({at.partition for at in _owned(app, topics)}):
                        await keeper.fold(partition)
            except (KafkaError, OSError) as error:
                logger().warning("kafka does not answer", error=type(error).__name__)
    finally:
        await consumer.stop()


def _owned(app: faust.App, topics: Collection[str]) -> list[TopicPartition]:
    """The partitions of events whose tables are here and complete."""
    if app.rebalancing or not app.tables.actives_ready:
        return []
    held = app.consumer.assignment()
    return [TopicPartition(at.topic, at.partition) for at in held if at.topic in topics]


async def _bring_on(
    consumer: AIOKafkaConsumer, keeper: Keeper, owned: list[TopicPartition], before: Positions
) -> Positions:
    """Keep what is there where nothing was kept since the round before; gives the positions."""
    ends = await consumer.end_offsets(owned) if owned else {}
    now = {at: keeper.position(at.topic, at.partition) for at in owned}
    for at in standing(before, now, ends):
        await keeper.fill(at.topic, at.partition, min(ends[at], now[at] + _AT_ONCE))
    return now


def standing(
    before: Positions, now: Positions, ends: Mapping[TopicPartition, int]
) -> list[TopicPartition]:
    """Partitions that have more, and whose position has not moved since the round before."""
    return [at for at, position in now.items() if before.get(at) == position < ends[at]]
