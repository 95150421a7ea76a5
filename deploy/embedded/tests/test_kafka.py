"""The embedded broker is Apache Kafka, and keeps what it was given over a restart."""

from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from deploy.embedded import kafka
from deploy.embedded.ports import free_ports
from deploy.embedded.runtime import Runtime
from deploy.embedded.tests.processes import running

pytestmark = pytest.mark.e2e


async def test_a_record_outlives_the_broker_that_took_it(runtime: Runtime, tmp_path: Path) -> None:
    port, controller_port = free_ports(2)
    node = kafka.KafkaNode(tmp_path / "kafka", port, controller_port)
    kafka.prepare(node, runtime)
    with running(kafka.command(node, runtime), tmp_path / "first.log"):
        await kafka.wait_until_ready(node.bootstrap, deadline_s=60)
        await _create_topic(node, "told")
        await _produce(node, "told", b"a fact")

    kafka.prepare(node, runtime)
    with running(kafka.command(node, runtime), tmp_path / "second.log"):
        await kafka.wait_until_ready(node.bootstrap, deadline_s=60)
        assert await _consume_one(node, "told") == b"a fact"


async def test_an_unknown_topic_is_refused_and_not_made(runtime: Runtime, tmp_path: Path) -> None:
    port, controller_port = free_ports(2)
    node = kafka.KafkaNode(tmp_path / "kafka", port, controller_port)
    kafka.prepare(node, runtime)
    with running(kafka.command(node, runtime), tmp_path / "broker.log"):
        await kafka.wait_until_ready(node.bootstrap, deadline_s=60)
        admin = AIOKafkaAdminClient(bootstrap_servers=node.bootstrap)
        await admin.start()
        try:
            [described] = await admin.describe_topics(["misspelt"])
            assert described["error_code"] == UnknownTopicOrPartitionError.errno
            assert await admin.list_topics() == []
        finally:
            await admin.close()


async def test_nobody_is_ready_where_nobody_listens() -> None:
    [port] = free_ports(1)
    with pytest.raises(TimeoutError):
        await kafka.wait_until_ready(f"127.0.0.1:{port}", deadline_s=0.2)


async def _create_topic(node: kafka.KafkaNode, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=node.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def _produce(node: kafka.KafkaNode, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=node.bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def _consume_one(node: kafka.KafkaNode, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=node.bootstrap, group_id="told", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        record = await consumer.getone()
        return record.value  # type: ignore[no-any-return]
    finally:
        await consumer.stop()
