"""The peer of the overhead benchmark: bare hops over the same broker."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic


async def relay(bootstrap: str, hops: int, count: int) -> list[float]:
    """Seconds of a message through `hops` bare consumers and producers, each in a task."""
    topics = [f"relay-{hop}" for hop in range(hops + 1)]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1) for topic in topics])
    await admin.close()

    async def hop(number: int, ready: asyncio.Event) -> None:
        consumer = AIOKafkaConsumer(
            topics[number],
            bootstrap_servers=bootstrap,
            group_id=f"relay-{number}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=True
        )
        await asyncio.gather(consumer.start(), producer.start())
        ready.set()
        try:
            async for record in consumer:
                await producer.send_and_wait(topics[number + 1], record.value)
                await consumer.commit()
        finally:
            await consumer.stop()
            await producer.stop()

    ready = [asyncio.Event() for _ in range(hops)]
    tasks = [asyncio.create_task(hop(number, event)) for number, event in enumerate(ready)]
    last = AIOKafkaConsumer(topics[-1], bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    first = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await asyncio.gather(last.start(), first.start(), *(event.wait() for event in ready))
    taken = []
    for _ in range(count):
        begin = time.perf_counter()
        await first.send_and_wait(topics[0], b"{}")
        await last.getone()
        taken.append(time.perf_counter() - begin)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, last.stop(), first.stop(), return_exceptions=True)
    return taken
