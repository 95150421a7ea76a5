"""Events with the place where they lay on the bus, and how events are published."""

from dataclasses import dataclass
from typing import Protocol

from shared.events.models import Lane
from shared.events.wire import Event


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


class Publisher(Protocol):
    """Writes events to the bus; returns when they are acknowledged by all replicas.

    While the bus does not answer it waits, and the service's /health says so.
    """

    async def publish(
        self, event: Event, lane: Lane | None, partition: int | None, key: str | None = None
    ) -> None:
        """`partition` is that of the cause; None lets the key decide (compacted topics)."""
        ...
