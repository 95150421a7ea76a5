"""Rounds go on where Kafka does not: figures of now, and why they are not whole."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

import pytest
from aiokafka.errors import KafkaConnectionError
from starlette.testclient import TestClient

from services.statistics import rounds
from services.statistics.api import create_app
from services.statistics.backlog import Reading
from services.statistics.tests.told import NOW, NOW_S, fact
from services.statistics.tumbling import SETTLES_S
from services.statistics.watching import Watching
from services.statistics.windows import Kept
from shared.clock import ManualClock
from shared.events.models import Lane, Statistics
from shared.events.wire import Event

AWAY = "kafka does not answer"


class Bus:
    """Answers, takes events and remembers; away, it does none of these."""

    def __init__(self, is_away: bool = False) -> None:
        self.events: list[Event] = []
        self.until = 0.0
        self.asked = 0
        self._is_away = is_away

    async def read(
        self,
        own: Mapping[tuple[str, int], int],  # noqa: ARG002 - the port's
    ) -> Reading:
        self.asked += 1
        if self._is_away:
            raise KafkaConnectionError
        return Reading({}, {})

    async def publish(
        self,
        event: Event,
        lane: Lane | None,  # noqa: ARG002 - the port's
        partition: int | None,  # noqa: ARG002 - the port's
        key: str | None = None,  # noqa: ARG002 - the port's
    ) -> None:
        if self._is_away:
            await asyncio.Event().wait()
        self.events.append(event)

    async def told(self, until: float) -> None:
        self.until = until

    def windows(self) -> set[str]:
        told = [event.data for event in self.events]
        return {data.window for data in told if isinstance(data, Statistics)}


@asynccontextmanager
async def _rounds(
    watching: Watching, bus: Bus, clock: ManualClock, is_first: bool = True
) -> AsyncIterator[Callable[[Callable[[], bool]], Awaitable[None]]]:
    loops = [
        rounds.measure(watching, bus, clock, 0),
        rounds.look(watching, clock, 0),
        rounds.tell(watching, bus, bus, lambda: is_first, 0),
    ]
    tasks = [asyncio.create_task(each) for each in loops]

    async def until(is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not is_so():
                await asyncio.sleep(0)

    yield until
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _watching() -> Watching:
    ended = fact("volume-ready", ago_s=SETTLES_S + 70)
    return Watching(Kept(facts={ended.mark: ended}))


async def test_while_kafka_is_away_snapshots_are_of_now_and_say_why_they_are_not_whole() -> None:
    watching, bus, clock = _watching(), Bus(is_away=True), ManualClock(NOW)
    async with _rounds(watching, bus, clock) as until:
        for _ in range(2):
            clock.advance(300)
            await until(lambda: watching.snapshot.get("at") == clock().isoformat())
        await until(lambda: bus.asked > 2)
    found = TestClient(create_app(lambda: watching.snapshot, lambda: (AWAY,))).get("/snapshot")
    assert found.json()["at"] == clock().isoformat()
    assert found.json()["why_not"] == [AWAY, "it is not known yet whether every event is counted"]


async def test_what_ended_is_published_and_remembered_by_the_first_replica_alone() -> None:
    for is_first in (True, False):
        watching, bus, clock = _watching(), Bus(), ManualClock(NOW)
        async with _rounds(watching, bus, clock, is_first) as until:
            await until(lambda: watching.known.until is not None)  # noqa: B023 - of this round
            clock.advance(60)
            asked = bus.asked
            await until(lambda: bus.asked > asked + 9)  # noqa: B023 - of this round
        assert bus.windows() == ({"5 min", "1 h", "minute", "hour"} if is_first else set())
        assert bus.until == (NOW_S if is_first else 0)
    assert watching.known.why_not(clock().timestamp()) == ()


async def test_snapshots_that_take_long_are_made_more_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watching, began = _watching(), []
    made = watching.look

    def slow(now: datetime) -> None:
        began.append(time.monotonic())
        time.sleep(0.05)
        made(now)

    monkeypatch.setattr(watching, "look", slow)
    looking = asyncio.create_task(rounds.look(watching, ManualClock(NOW), 0))
    await asyncio.sleep(0.2)
    looking.cancel()
    assert len(began) == 1
