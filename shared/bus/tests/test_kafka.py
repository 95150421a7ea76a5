"""What is set aside can be found again: its bytes, its coordinates and why."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from shared.bus.kafka import UNREADABLE, KafkaPublisher
from shared.bus.producing import Producer
from shared.bus.received import EventTooLarge, Place, Received, publish_if_it_fits
from shared.events.models import JobControl
from shared.events.wire import Event, encode


class Sent:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, dict[str, Any]]] = []

    async def send_and_wait(self, topic: str, value: bytes, **more: Any) -> None:
        self.sent.append((topic, value, more))


def _control(job_id: str) -> Event:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Event("1", "results", "job-control", "j", moment, "", JobControl(job_id=job_id))


async def test_a_decoded_event_is_set_aside_with_its_coordinates() -> None:
    event = _control("j")
    received = Received(event, Place("clarion.job-control.v1", 2, 7, None))
    producer = Sent()
    publisher = KafkaPublisher(cast("Producer", producer), "reader")
    await publisher.set_aside(received, "unusable-event")
    ((topic, value, more),) = producer.sent
    assert (topic, value, more["partition"]) == (UNREADABLE, encode(event)[1], 2)
    assert dict(more["headers"]) == {
        "topic": b"clarion.job-control.v1",
        "partition": b"2",
        "offset": b"7",
        "service": b"reader",
        "code": b"unusable-event",
        "size": str(len(value)).encode(),
    }


async def test_of_what_fills_a_record_the_beginning_is_set_aside() -> None:
    """With its coordinates it would be too large for the broker, and would be tried for ever."""
    producer = Sent()
    record = SimpleNamespace(
        topic="clarion.input-ready.v1.stat", partition=0, offset=3, value=b"x" * (1 << 20)
    )
    publisher = KafkaPublisher(cast("Producer", producer), "reader")
    await publisher.unreadable(cast("Any", record), "not-an-event")
    ((_, value, more),) = producer.sent
    assert len(value) < 1 << 19
    assert dict(more["headers"])["size"] == str(1 << 20).encode()


class _Limited:
    """Takes no record of more than a thousand bytes, as aiokafka's takes none over 1 MiB."""

    async def send_and_wait(self, topic: str, value: bytes, **_: Any) -> None:
        if len(value) > 1000:
            raise MessageSizeTooLargeError(topic)


async def test_an_event_that_is_too_large_is_not_sent_again() -> None:
    publisher = KafkaPublisher(cast("Producer", _Limited()), "reader")
    with pytest.raises(EventTooLarge, match=r"job-control of \d{4} bytes"):
        await publisher.publish(_control("j" * 1000), None, 0)


async def test_a_loop_passes_over_an_event_that_is_too_large() -> None:
    publisher = KafkaPublisher(cast("Producer", _Limited()), "reader")
    events = (_control("j" * 1000), _control("j"))
    assert [await publish_if_it_fits(publisher, event, None, 0) for event in events] == [
        False,
        True,
    ]
