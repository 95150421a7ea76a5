"""Figures on a real broker: killed in the middle of a window, and shared by two replicas."""

import asyncio
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.embedded.ports import free_ports
from deploy.embedded.tests.processes import running
from shared.bus.kafka import start_publisher
from shared.bus.topics import create
from shared.catalog import load_service, load_topics, topic_name
from shared.events.models import Common, Lane, Statistics
from shared.events.wire import Event, decode
from tests.e2e.recounting import differ, differences
from tests.e2e.system import until
from tests.e2e.told_jobs import events, partition_of

pytestmark = pytest.mark.e2e
KINDS = (
    *("input-ready", "volume-ready", "mask-ready", "dicom-ready", "stage-failed"),
    *("job-finished", "dicom-delivered"),
)
_WITHIN_S = 900.0
"""Far more than a replica takes that stands, ends itself and is started again: also where a machine
leaves it a twentieth of one core."""


async def _publish(broker: str, events: Sequence[Event]) -> None:
    """Each to the partition of its job; every third one twice."""
    publisher, producer = await start_publisher(broker, "test")
    for number, event in enumerate(events):
        assert isinstance(event.data, Common)
        for _ in range(2 if number % 3 == 0 else 1):
            await publisher.publish(event, event.data.lane, partition_of(event))
    await producer.stop()


async def _distinct(broker: str) -> list[Event]:
    """What the topics hold, each event once."""
    names = [name for kind in KINDS for name in load_topics().names(kind)]
    return list({event.id: event for event in await _read(broker, names)}.values())


async def _read(broker: str, names: Sequence[str]) -> list[Event]:
    consumer = AIOKafkaConsumer(*names, bootstrap_servers=broker, auto_offset_reset="earliest")
    await consumer.start()
    found = []
    try:
        places = list(consumer.assignment())
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for part in (await consumer.getmany(timeout_ms=500)).values():
                found += [decode(record.headers, record.value) for record in part]
    finally:
        await consumer.stop()
    return found


async def _falls_behind(broker: str, service: str) -> dict[str, int]:
    """Has a service commit one event of each partition; gives how many it has left, by lane."""
    kind, left = "input-ready", Counter[str]()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker, group_id=service, enable_auto_commit=False
    )
    await consumer.start()
    try:
        for lane in Lane:
            name = topic_name(kind, lane)
            places = [TopicPartition(name, number) for number in range(load_topics().partitions)]
            ends = await consumer.end_offsets(places)
            consumer.assign(places)
            await consumer.commit({place: min(1, ends[place]) for place in places})
            left[lane.value] = sum(max(0, ends[place] - 1) for place in places)
    finally:
        await consumer.stop()
    return dict(left)


async def _published(broker: str, window: str) -> dict[datetime, Statistics]:
    """What was told of each such window last, by its end; one id has one content."""
    told = await _read(broker, [topic_name("statistics", None)])
    assert len({event.id for event in told}) == len(
        {(e.id, e.data.model_dump_json()) for e in told}
    )
    windows = [event.data for event in told if isinstance(event.data, Statistics)]
    return {data.at: data for data in windows if data.window == window}


def _minutes(broker: str, events: Collection[Event]) -> list[str]:
    """What the minutes of the last hour tell on the bus otherwise than the events do."""
    minute, past = timedelta(minutes=1), datetime.now(UTC) - timedelta(hours=1)
    published = asyncio.run(_published(broker, "minute")).items()
    told = {at: data.model_dump()["series"] for at, data in published if at > past}
    if not any(told.values()):
        return ["tell nothing"]
    ends = [min(told) + minute * n for n in range((max(told) - min(told)) // minute + 1)]
    return [what for at in ends for what in differ(events, told.get(at, ()), at - minute, at)]


class Replica:
    """A process of statistics that is started again when it ends itself, as a supervisor does."""

    def __init__(self, broker: str, folder: Path, name: str) -> None:
        self._logs = (folder / f"{name}-{life}.log" for life in count())
        port, health = free_ports(2)
        self._told = {
            "CLARION_KAFKA": broker,
            "CLARION_INSTANCE": name,
            "CLARION_STATISTICS_PORT": str(port),
            "CLARION_HEALTH_PORT": str(health),
            "CLARION_SNAPSHOT_EVERY_S": "1",
        }
        self._address = f"http://127.0.0.1:{port}"
        self._life = ExitStack()
        self._start()

    def kill(self) -> None:
        """As `kill -9` does."""
        self._process.kill()
        self._life.close()

    def restart(self) -> None:
        """The same replica in a new process."""
        self._life.close()
        self._start()

    def differs(self, events: Collection[Event]) -> list[str]:
        """What it tells otherwise than the events do."""
        told = self._asked()
        return differences(events, told) if told else ["does not answer"]

    def counts_some(self) -> bool:
        return bool(self._asked().get("windows", {}).get("1 h"))

    def backlog(self, service: str) -> dict[str, int]:
        """Events that a service has not done yet, by lane; nothing while it does not answer."""
        lags = self._asked().get("backlog", ())
        return {lag["lane"]: int(lag["events"]) for lag in lags if lag["service"] == service}

    def is_healthy(self) -> bool:
        return self._get("/health").is_success

    def _asked(self) -> dict[str, Any]:
        answer = self._get("/snapshot")
        found: dict[str, Any] = answer.json() if answer.is_success else {}
        return found

    def _get(self, path: str) -> httpx.Response:
        if self._process.poll() is not None:
            self.restart()
        try:
            return self._http.get(path)
        except httpx.HTTPError:
            return httpx.Response(503)

    def _start(self) -> None:
        command = [sys.executable, "-m", load_service("statistics").command.split()[-1]]
        life = running(command, next(self._logs), self._told)
        self._process = self._life.enter_context(life)
        http = httpx.Client(base_url=self._address, trust_env=False, timeout=30)
        self._http = self._life.enter_context(http)


@contextmanager
def _replica(broker: str, folder: Path, name: str) -> Iterator[Replica]:
    replica = Replica(broker, folder, name)
    try:
        yield replica
    finally:
        replica.kill()


def _until_equal(broker: str, *replicas: Replica) -> list[Event]:
    """Wait until each replica tells in every window what the topics hold; gives that."""
    events = asyncio.run(_distinct(broker))
    until(
        "equal figures",
        lambda: [replica.differs(events) for replica in replicas] == [[]] * len(replicas),
        _WITHIN_S,
    )
    return events


def test_figures_equal_a_recount_after_a_kill_and_a_rebalance(broker: str, tmp_path: Path) -> None:
    asyncio.run(create(broker, load_topics()))
    asyncio.run(_publish(broker, _now(range(40))))
    with _replica(broker, tmp_path, "1") as first:
        until("some events counted", first.counts_some, _WITHIN_S)
        first.kill()
        asyncio.run(_publish(broker, _now(range(40, 60))))
        first.restart()
        with _replica(broker, tmp_path, "2") as second:
            _until_equal(broker, first, second)
            asyncio.run(_publish(broker, _now(range(60, 80))))
        asyncio.run(_publish(broker, _now(range(80, 90))))
        expected = _until_equal(broker, first)
        until("nothing left", lambda: not any(first.backlog("statistics").values()), _WITHIN_S)
        left = asyncio.run(_falls_behind(broker, "reader"))
        until("the backlog by lane", lambda: first.backlog("reader") == left, _WITHIN_S)
        until("it is published", lambda: _published_backlog(broker, "reader") == left, _WITHIN_S)
        until("minutes", lambda: _minutes(broker, expected) == [], _WITHIN_S)
        until("health", first.is_healthy, _WITHIN_S)
    assert len(expected) == len(_now(range(90)))
    assert min(left.values()) > 0


def _now(numbers: Sequence[int]) -> list[Event]:
    return events(numbers, datetime.now(UTC))


def _published_backlog(broker: str, service: str) -> dict[str, int]:
    found = asyncio.run(_published(broker, "5 min"))
    lags = found[max(found)].backlog if found else ()
    return {lag.lane: lag.events for lag in lags if lag.service == service}
