"""Events with the place where they lay on the bus, and how events are published."""

from dataclasses import dataclass
from typing import Protocol

from shared.events.models import Lane
from shared.events.wire import Event
from shared.telemetry.logs import logger


@dataclass(frozen=True)
class Place:
    """Where an event lies: what it causes goes to the same partition, and to the same lane unless
    the job was given another.
    """

    topic: str
    partition: int
    offset: int
    lane: Lane | None


@dataclass(frozen=True)
class Received:
    """An event that was read from the bus."""

    event: Event
    place: Place


class EventTooLarge(Exception):
    """The bus takes no event of that size, and never will: whoever publishes it passes on.

    Its message names no patient: the kind of the event, and its size in bytes.
    """

    def __init__(self, kind: str, size: int) -> None:
        super().__init__(f"{kind} of {size} bytes")
        self.kind, self.size = kind, size


class Publisher(Protocol):
    """Writes events to the bus; returns when they are acknowledged by all replicas.

    While the bus does not answer it waits, and the service's /health says so.
    """

    async def publish(
        self, event: Event, lane: Lane | None, partition: int | None, key: str | None = None
    ) -> None:
        """`partition` is that of the cause; None lets the key decide (compacted topics).

        Raises `EventTooLarge`.
        """
        ...


async def publish_if_it_fits(
    publisher: Publisher,
    event: Event,
    lane: Lane | None,
    partition: int | None,
    key: str | None = None,
) -> bool:
    """Publish, for a loop that others wait behind: what is too large is logged and passed over.

    Whether it was published.
    """
    try:
        await publisher.publish(event, lane, partition, key)
    except EventTooLarge as error:
        logger().error("event too large", kind=error.kind, size=error.size, id=event.id)
        return False
    return True
