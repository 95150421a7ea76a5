"""Figures on a real broker: killed in the middle of a window, and shared by two replicas."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer

from deploy.embedded.ports import free_ports
from deploy.embedded.tests.processes import running
from shared.bus.kafka import start_publisher
from shared.bus.topics import create
from shared.catalog import load_service, load_topics
from shared.events.examples import EXAMPLES
from shared.events.models import Common
from shared.events.wire import Event, decode
from shared.identity import event_id
from tests.e2e.system import until

pytestmark = pytest.mark.e2e
KINDS = ("input-ready", "volume-ready", "mask-ready", "dicom-ready", "stage-failed", "job-finished")
_WITHIN_S = 900.0
"""Far more than a replica takes that stands, ends itself and is started again: also where a machine
leaves it a twentieth of one core."""
Recount = Counter[tuple[str, str, str]]
"""Events by (stage, lane, pipeline); what concerns whole jobs has no stage."""


def _events(numbers: Sequence[int]) -> list[Event]:
    """The events of some jobs, which happened just now."""
    return [_event(kind, f"job-{number}") for number in numbers for kind in KINDS]


def _event(kind: str, job: str) -> Event:
    example = EXAMPLES[kind]
    assert isinstance(example, Common)
    now = datetime.now(UTC)
    when = {
        "received_at": now - timedelta(seconds=3),
        "started_at": now - timedelta(seconds=2),
        "finished_at": now,
    }
    data = example.model_copy(update={"job_id": job, **when})
    return Event(event_id(job, 1, data.stage, kind), "test", kind, job, now, "", data)


async def _publish(broker: str, events: Sequence[Event]) -> None:
    """Each to the partition of its job; every third one twice."""
    publisher, producer = await start_publisher(broker)
    for number, event in enumerate(events):
        assert isinstance(event.data, Common)
        for _ in range(2 if number % 3 == 0 else 1):
            partition = int(event.subject.removeprefix("job-")) % 4
            await publisher.publish(event, event.data.lane, partition)
    await producer.stop()


async def _recount(broker: str) -> Recount:
    """Distinct event ids, read from the topics by plain means."""
    names = [name for kind in KINDS for name in load_topics().names(kind)]
    consumer = AIOKafkaConsumer(*names, bootstrap_servers=broker, auto_offset_reset="earliest")
    await consumer.start()
    found = {}
    try:
        places = list(consumer.assignment())
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for part in (await consumer.getmany(timeout_ms=500)).values():
                for record in part:
                    event = decode(record.headers, record.value)
                    found[event.id] = event
    finally:
        await consumer.stop()
    of_jobs = ("input-ready", "job-finished")
    counted: Recount = Counter()
    for event in found.values():
        data = event.data
        assert isinstance(data, Common)
        stage = "" if event.kind in of_jobs else data.stage
        counted[(stage, data.lane.value, data.pipeline)] += 1
    return counted


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

    def figures(self) -> Recount:
        """What it counts in the last hour; nothing while it does not answer."""
        return _counted(self._asked().get("windows", {}).get("1 h", ()))

    def backlog(self) -> int | None:
        """Events that statistics itself has not counted yet; None while it does not answer."""
        lags = self._asked().get("backlog")
        if lags is None:
            return None
        return sum(int(lag["events"]) for lag in lags if lag["service"] == "statistics")

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


def _counted(lines: Sequence[dict[str, Any]]) -> Recount:
    counted: Recount = Counter()
    for line in lines:
        key: dict[str, str] = line["key"]
        if "code" not in key:
            place = (key.get("stage", ""), key["lane"], key["pipeline"])
            counted[place] = sum(_counts(line["figures"]))
    return counted


def _counts(figures: dict[str, Any]) -> Iterator[int]:
    for name, value in figures.items():
        if not name.startswith("per_") and not name.endswith(("_s", "_count")):
            yield int(value)


def _until_equal(broker: str, *replicas: Replica) -> Recount:
    """Wait until each replica's figures equal a recount of what the topics hold now."""
    expected = asyncio.run(_recount(broker))
    until(
        "equal figures",
        lambda: [replica.figures() for replica in replicas] == [expected] * len(replicas),
        _WITHIN_S,
    )
    return expected


def test_figures_equal_a_recount_after_a_kill_and_a_rebalance(broker: str, tmp_path: Path) -> None:
    asyncio.run(create(broker, load_topics()))
    asyncio.run(_publish(broker, _events(range(40))))
    with _replica(broker, tmp_path, "1") as first:
        until("some events counted", lambda: first.figures().total() > 0, _WITHIN_S)
        first.kill()
        asyncio.run(_publish(broker, _events(range(40, 60))))
        first.restart()
        with _replica(broker, tmp_path, "2") as second:
            _until_equal(broker, first, second)
            asyncio.run(_publish(broker, _events(range(60, 80))))
        asyncio.run(_publish(broker, _events(range(80, 90))))
        expected = _until_equal(broker, first)
        until("nothing left", lambda: first.backlog() == 0 and first.is_healthy(), _WITHIN_S)
    assert expected.total() == 90 * len(KINDS)
