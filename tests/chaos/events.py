"""Faults of the bus: events that come again, in another order, or mean nothing."""

import asyncio
from collections.abc import Coroutine, Sequence
from random import Random

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from deploy.embedded.kafka import wait_until_ready
from shared.catalog import load_topics
from tests.chaos.scene import Scene

Said = tuple[str, int, bytes | None, list[tuple[str, bytes]]]
"""Topic, partition, value, headers."""
_PARTITIONS, _RECORDS, _NONSENSE = 6, 8, 5
_READ_MS, _READY_S = 3000, 120.0


def events_again(scene: Scene) -> str:
    """The last events of some partitions a second time: old news between the new."""
    return _patiently(scene, _repeated(scene, backwards=False))


def events_reversed(scene: Scene) -> str:
    """The same from the last to the first: effects before their causes."""
    return _patiently(scene, _repeated(scene, backwards=True))


def events_unreadable(scene: Scene) -> str:
    """Bytes that are no event, on topics that services read."""
    return _patiently(scene, _nonsense(scene))


def _patiently(scene: Scene, act: Coroutine[None, None, str]) -> str:
    """The fault before may have been Kafka's."""

    async def when_ready() -> str:
        await wait_until_ready(scene.home.local("kafka"), _READY_S)
        return await act

    return asyncio.run(when_ready())


async def _repeated(scene: Scene, backwards: bool) -> str:
    consumer = AIOKafkaConsumer(bootstrap_servers=scene.home.local("kafka"))
    await consumer.start()
    try:
        records = await _last_records(consumer, scene.random)
    finally:
        await consumer.stop()
    ordered = records[::-1] if backwards else records
    await _publish(scene, ordered)
    return f"{len(records)} events"


async def _last_records(consumer: AIOKafkaConsumer, random: Random) -> list[Said]:
    topics = load_topics()
    places = [TopicPartition(topic, p) for topic in _topics() for p in range(topics.partitions)]
    ends = await consumer.end_offsets(places)
    filled = [place for place in places if ends[place]]
    chosen = random.sample(filled, min(_PARTITIONS, len(filled)))
    consumer.assign(chosen)
    for place in chosen:
        consumer.seek(place, max(0, ends[place] - _RECORDS))
    found = await consumer.getmany(timeout_ms=_READ_MS) if chosen else {}
    return [_said(record) for place in chosen for record in found.get(place, [])]


def _said(record: "ConsumerRecord[bytes, bytes]") -> Said:
    return record.topic, record.partition, record.value, list(record.headers)


async def _nonsense(scene: Scene) -> str:
    random = scene.random
    said: list[Said] = [
        (random.choice(_topics()), random.randrange(load_topics().partitions), _bytes(random), [])
        for _ in range(_NONSENSE)
    ]
    await _publish(scene, said)
    return f"{len(said)} records"


async def _publish(scene: Scene, said: Sequence[Said]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=scene.home.local("kafka"))
    await producer.start()
    try:
        for topic, partition, value, headers in said:
            await producer.send_and_wait(topic, value, partition=partition, headers=headers)
    finally:
        await producer.stop()


def _bytes(random: Random) -> bytes:
    return random.randbytes(random.randrange(200))


def _topics() -> list[str]:
    """The topics of facts, of every lane."""
    topics = load_topics()
    return [
        name for kind, each in topics.topics.items() if each.lanes for name in topics.names(kind)
    ]
