"""What a replica sees to in its partitions beside the events that Faust brings."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import count

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.statistics.keeping import Keeper
from services.statistics.watchdog import is_ready
from shared.telemetry.logs import logger

_EVERY_S = 5.0
_FOLD_EVERY_ROUNDS = 12
_AT_ONCE = 500
"""Records that are read outside of Faust in one go."""

Positions = dict[TopicPartition, int]


async def tend(
    app: faust.App,
    keeper: Keeper,
    topics: Collection[str],
    bootstrap: str,
    moved: Callable[[], None],
    told: Callable[[], float],
) -> None:
    """Until cancelled: bring on topics that stand, and fold old facts once a minute.

    `moved` is called after each topic that was brought on, and when all have been looked after;
    `told` says until when minutes and hours are published.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    before: Positions = {}
    try:
        for rounds in count(1):
            await asyncio.sleep(_EVERY_S)
            if is_ready(app):
                owned = _owned(app, topics)
                with _when_kafka_answers(moved):
                    before = await _bring_on(consumer, keeper, owned, before, moved)
                    if rounds % _FOLD_EVERY_ROUNDS == 0:
                        await _fold(keeper, owned, told())
    finally:
        await consumer.stop()


@contextmanager
def _when_kafka_answers(then: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError) as error:
        logger().warning("kafka does not answer", error=type(error).__name__)
    else:
        then()


async def _fold(keeper: Keeper, owned: list[TopicPartition], told: float) -> None:
    for partition in sorted({at.partition for at in owned}):
        await keeper.fold(partition, told)


def _owned(app: faust.App, topics: Collection[str]) -> list[TopicPartition]:
    held = app.consumer.assignment()
    return [TopicPartition(at.topic, at.partition) for at in held if at.topic in topics]


async def _bring_on(
    consumer: AIOKafkaConsumer,
    keeper: Keeper,
    owned: list[TopicPartition],
    before: Positions,
    moved: Callable[[], None],
) -> Positions:
    """Keep what is there where nothing was kept since the round before; gives the positions."""
    ends = await consumer.end_offsets(owned) if owned else {}
    now = {at: keeper.position(at.topic, at.partition) for at in owned}
    for at in standing(before, now, ends):
        await keeper.fill(at.topic, at.partition, min(ends[at], now[at] + _AT_ONCE))
        moved()
    return now


def standing(
    before: Positions, now: Positions, ends: Mapping[TopicPartition, int]
) -> list[TopicPartition]:
    """Partitions that have more, and whose position has not moved since the round before."""
    return [at for at, position in now.items() if before.get(at) == position < ends[at]]
