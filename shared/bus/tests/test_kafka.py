"""What is set aside can be found again: its bytes, its coordinates and why."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from shared.bus.kafka import UNREADABLE, KafkaPublisher
from shared.bus.producing import Producer
from shared.bus.received import Place, Received
from shared.events.models import JobControl
from shared.events.wire import Event, encode


class Sent:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, dict[str, Any]]] = []

    async def send_and_wait(self, topic: str, value: bytes, **more: Any) -> None:
        self.sent.append((topic, value, more))


async def test_a_decoded_event_is_set_aside_with_its_coordinates() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    event = Event("1", "results", "job-control", "j", moment, "", JobControl(job_id="j"))
    received = Received(event, Place("clarion.job-control.v1", 2, 7, None))
    producer = Sent()
    publisher = KafkaPublisher(cast("Producer", producer))
    await publisher.set_aside(received, "unusable-event")
    ((topic, value, more),) = producer.sent
    assert (topic, value, more["partition"]) == (UNREADABLE, encode(event)[1], 2)
    assert dict(more["headers"]) == {
        "topic": b"clarion.job-control.v1",
        "partition": b"2",
        "offset": b"7",
        "code": b"unusable-event",
        "size": str(len(value)).encode(),
    }


async def test_of_what_fills_a_record_the_beginning_is_set_aside() -> None:
    """With its coordinates it would be too large for the broker, and would be tried for ever."""
    producer = Sent()
    record = SimpleNamespace(
        topic="clarion.input-ready.v1.stat", partition=0, offset=3, value=b"x" * (1 << 20)
    )
    publisher = KafkaPublisher(cast("Producer", producer))
    await publisher.unreadable(cast("Any", record), "not-an-event")
    ((_, value, more),) = producer.sent
    assert len(value) < 1 << 19
    assert dict(more["headers"])["size"] == str(1 << 20).encode()
