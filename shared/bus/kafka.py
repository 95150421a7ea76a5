"""The bus on Kafka: an idempotent publisher, and the loops that read."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from shared.bus.committing import Committer
from shared.bus.fetching import with_sessions
from shared.bus.offsets import Offsets
from shared.bus.producing import Producer
from shared.bus.received import EventTooLarge, Place, Received
from shared.catalog import Topics, topic_kind, topic_name
from shared.errors import Unavailable
from shared.events.models import Lane
from shared.events.wire import Event, Undecodable, decode, encode
from shared.telemetry.logs import logger

_ASK_EVERY_S = 3.0
_ANSWER_S = 3.0
_POLL_MS = 1000
_FETCH_WAIT_MS = 500
"""A lane that was full and has nothing left of what was fetched waits for so long at most."""
_CONTROL_WAIT_MS = 5_000
_LANES = {lane.value: lane for lane in Lane}
UNREADABLE = topic_name("unreadable", None)
_SET_ASIDE_BYTES = 256 << 10
"""Of a value that is set aside: the largest that came would not fit beside its coordinates."""


class KafkaPublisher:
    """Acknowledged by all replicas, once: see `Publisher`. `service` is who publishes."""

    def __init__(self, producer: Producer, service: str) -> None:
        self._producer, self._service = producer, service

    async def watch(self, tell: Callable[[bool], object]) -> None:
        """Ask the broker every few seconds, until cancelled, and tell whether it answers."""
        while True:
            try:
                asked = self._producer.client.force_metadata_update()
                tell(bool(await asyncio.wait_for(asked, _ANSWER_S)))
            except (KafkaError, TimeoutError, OSError):
                tell(False)
            await asyncio.sleep(_ASK_EVERY_S)

    async def publish(
        self, event: Event, lane: Lane | None, partition: int | None, key: str | None = None
    ) -> None:
        headers, value = encode(event)
        try:
            await self._send(topic_name(event.kind, lane), value, headers, partition, key)
        except MessageSizeTooLargeError:
            raise EventTooLarge(event.kind, len(value)) from None

    async def unreadable(self, record: "ConsumerRecord[bytes, bytes]", code: str) -> None:
        """Set aside what can't be decoded, with its coordinates."""
        await self._put_aside(place_of(record), record.value or b"", code)

    async def set_aside(self, received: Received, code: str) -> None:
        """Set aside what was decoded and can't be used, with its coordinates."""
        _, value = encode(received.event)
        await self._put_aside(received.place, value, code)

    async def _put_aside(self, place: Place, value: bytes, code: str) -> None:
        headers = (
            ("topic", place.topic.encode()),
            ("partition", str(place.partition).encode()),
            ("offset", str(place.offset).encode()),
            ("service", self._service.encode()),
            ("code", code.encode()),
            ("size", str(len(value)).encode()),
        )
        kept = value[:_SET_ASIDE_BYTES]
        await self._send(UNREADABLE, kept, headers, place.partition, None)

    async def _send(
        self,
        topic: str,
        value: bytes,
        headers: Sequence[tuple[str, bytes]],
        partition: int | None,
        key: str | None,
    ) -> None:
        raw_key = key.encode() if key else None
        while True:
            try:
                await self._producer.send_and_wait(
                    topic, value, key=raw_key, partition=partition, headers=headers
                )
            except MessageSizeTooLargeError:  # the next time as well
                raise
            except KafkaError as error:
                logger().warning("publish failed", error=type(error).__name__, topic=topic)
                await asyncio.sleep(1)
            else:
                return


async def start_publisher(bootstrap: str, service: str) -> tuple[KafkaPublisher, Producer]:
    """A service's publisher, and the producer to stop at the end. Raises `Unavailable("kafka")`."""
    producer = Producer(
        lambda: AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    )
    try:
        await producer.start()
    except KafkaError as error:
        await producer.stop()
        raise Unavailable("kafka") from error
    return KafkaPublisher(producer, service), producer


def place_of(record: "ConsumerRecord[bytes, bytes]") -> Place:
    """Where a record lies, its lane read from the topic's name."""
    return Place(record.topic, record.partition, record.offset, lane_of(record.topic))


def lane_of(topic: str) -> Lane | None:
    """The lane of a topic; None where its kind has no lanes."""
    return _LANES.get(topic.rpartition(".")[2])


def received_of(record: "ConsumerRecord[bytes, bytes]") -> Received:
    """The event of a record. Raises `Undecodable`."""
    event = decode(record.headers, record.value or b"")
    if event.kind != topic_kind(record.topic):
        raise Undecodable("wrong-topic")
    return Received(event, place_of(record))


def group_consumer(
    bootstrap: str, group: str, instance: str, *, session_ms: int = 10_000, rest_s: float = 0.0
) -> AIOKafkaConsumer:
    """A consumer of a group: manual commits, from the earliest, static membership.

    It rests for `rest_s` between two fetches.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        group_instance_id=f"{group}-{instance}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=session_ms // 4,
        max_poll_interval_ms=600_000,
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        metadata_max_age_ms=30_000,
    )
    return with_sessions(consumer, rest_s)


async def read_facts(
    consumer: AIOKafkaConsumer,
    publisher: KafkaPublisher,
    topics: Topics,
    kinds: Sequence[str],
    on_batch: Callable[[Sequence[Received]], Awaitable[None]],
) -> None:
    """Read facts in batches until cancelled; commit each batch after `on_batch` has returned.

    Raises what ended it as it is, Kafka's errors and those of `on_batch`.
    """
    consumer.subscribe([name for kind in kinds for name in topics.names(kind)])
    offsets = Offsets()
    committer = Committer(consumer, offsets)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(committer.run())
            while True:
                records = await consumer.getmany(timeout_ms=_POLL_MS, max_records=500)
                batch = []
                for record in (record for part in records.values() for record in part):
                    try:
                        batch.append(received_of(record))
                    except Undecodable as error:
                        await publisher.unreadable(record, error.code)
                if batch:
                    await on_batch(batch)
                for place, part in records.items():
                    offsets.reached(place.topic, place.partition, part[-1].offset + 1)
                    committer.moved()
    except ExceptionGroup as ended:  # the group of tasks is nobody else's affair
        raise ended.exceptions[0] from None
    finally:
        await committer.last()


async def read_whole(
    bootstrap: str,
    topic: str,
    partitions: int,
    on_record: Callable[["ConsumerRecord[bytes, bytes]"], None],
    caught_up: asyncio.Event,
) -> None:
    """Read every partition of a compacted topic from its start, and go on until cancelled."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=_CONTROL_WAIT_MS,
    )
    await with_sessions(consumer).start()
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        while True:
            if not caught_up.is_set():
                at = [await consumer.position(place) for place in places]
                if all(now >= ends[place] for now, place in zip(at, places, strict=True)):
                    caught_up.set()
            for part in (await consumer.getmany(timeout_ms=_CONTROL_WAIT_MS)).values():
                for record in part:
                    on_record(record)
    finally:
        await consumer.stop()
