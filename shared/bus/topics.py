"""Creates every topic of `schemas/topics.yaml`, before anything else starts."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.catalog import Topic, Topics, load_topics
from shared.settings import Settings

_SEGMENT_MS = 12 * 3_600_000
"""Events go segment by segment, when the youngest is too old: by default a week's are one."""


def _new_topics(topics: Topics, replication: int) -> list[NewTopic]:
    return [
        NewTopic(name, topics.partitions, replication, topic_configs=_configs(topic))
        for kind, topic in topics.topics.items()
        for name in topics.names(kind)
    ]


def _configs(topic: Topic) -> dict[str, str]:
    if topic.compacted:
        return {"cleanup.policy": "compact"}
    kept_ms = (topic.retention_hours or 168) * 3_600_000
    return {"retention.ms": str(kept_ms), "segment.ms": str(min(kept_ms, _SEGMENT_MS))}


async def create(bootstrap: str, topics: Topics, replication: int = 1) -> tuple[str, ...]:
    """Create what is missing; gives the names of all topics. Raises Kafka's errors."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        known = set(await admin.list_topics())
        missing = [topic for topic in _new_topics(topics, replication) if topic.name not in known]
        if missing:
            answer = await admin.create_topics(missing)
            for _, code, *_ in answer.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:
                    raise error
    finally:
        await admin.close()
    return tuple(topic.name for topic in _new_topics(topics, replication))


def main() -> None:
    """Create the topics at the broker that CLARION_KAFKA names."""
    asyncio.run(create(Settings().kafka, load_topics()))


if __name__ == "__main__":
    main()
