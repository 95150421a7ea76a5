"""What a service knows before it reads its first event."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from shared import run
from shared.bus import kafka
from shared.bus.control import Control
from shared.catalog import topic_name
from shared.events.models import JobControl
from shared.events.wire import Event, encode
from shared.testing import toy

_TOLD = ("a", "b", "c")


def _cancel(job_id: str) -> SimpleNamespace:
    """As aiokafka gives it."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    data = JobControl(job_id=job_id, cancelled_to_run=1)
    headers, value = encode(Event("1", "results", "job-control", job_id, moment, "", data))
    return SimpleNamespace(headers=headers, value=value)


class _Told:
    """A consumer of a control topic whose partition 2 holds cancels, given one at a time."""

    def __init__(self) -> None:
        self._place = TopicPartition(topic_name("job-control", None), 2)
        self._position = 0

    async def start(self) -> None:
        """The broker answers at once."""

    async def stop(self) -> None:
        """It keeps nothing open."""

    def assign(self, places: Sequence[TopicPartition]) -> None:
        assert self._place in places

    async def end_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: len(_TOLD) if place == self._place else 0 for place in places}

    async def position(self, place: TopicPartition) -> int:
        return self._position if place == self._place else 0

    async def getmany(self, **_: int) -> dict[TopicPartition, list[Any]]:
        if self._position == len(_TOLD):
            raise asyncio.CancelledError  # as if the service were stopped
        await asyncio.sleep(0)
        self._position += 1
        return {self._place: [_cancel(_TOLD[self._position - 1])]}


async def test_a_service_that_starts_after_a_cancel_knows_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka, "AIOKafkaConsumer", lambda **_: _Told())
    monkeypatch.setattr(kafka, "with_sessions", lambda consumer: consumer)
    control = Control()
    async with asyncio.TaskGroup() as group:
        await run._follow_control(group, "127.0.0.1:9", toy.topics(), control)
        assert all(control.stopped(job_id, 1) for job_id in _TOLD)
