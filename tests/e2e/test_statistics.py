"""Figures on a real broker: killed in the middle of a window, and shared by two replicas."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen
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


def _figures(port: int) -> Recount | None:
    """What a replica counts in the last hour; None while it does not answer."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/snapshot", trust_env=False)
    except httpx.HTTPError:
        return None
    if not answer.is_success:
        return None
    counted: Recount = Counter()
    for line in answer.json()["windows"]["1 h"]:
        key: dict[str, str] = line["key"]
        if "code" not in key:
            place = (key.get("stage", ""), key["lane"], key["pipeline"])
            counted[place] = sum(_counts(line["figures"]))
    return counted


def _counts(figures: dict[str, Any]) -> Iterator[int]:
    for name, value in figures.items():
        if not name.startswith("per_") and not name.endswith(("_s", "_count")):
            yield int(value)


@contextmanager
def _replica(broker: str, folder: Path, name: str) -> Iterator[tuple[Popen[bytes], int]]:
    port, health = free_ports(2)
    told = {
        "CLARION_KAFKA": broker,
        "CLARION_INSTANCE": name,
        "CLARION_STATISTICS_PORT": str(port),
        "CLARION_HEALTH_PORT": str(health),
        "CLARION_SNAPSHOT_EVERY_S": "0.3",
    }
    command = [sys.executable, "-m", load_service("statistics").command.split()[-1]]
    with running(command, folder / f"{name}.log", told) as process:
        yield process, port


def test_figures_equal_a_recount_after_a_kill_and_a_rebalance(broker: str, tmp_path: Path) -> None:
    asyncio.run(create(broker, load_topics()))
    asyncio.run(_publish(broker, _events(range(40))))
    with _replica(broker, tmp_path, "1") as (process, port):
        until("some events counted", lambda: (_figures(port) or Counter()).total() > 0)
        process.kill()
    asyncio.run(_publish(broker, _events(range(40, 60))))
    with _replica(broker, tmp_path, "1") as (_, first):
        with _replica(broker, tmp_path, "2") as (second_process, second):
            expected = asyncio.run(_recount(broker))
            until("the first's figures", lambda: _figures(first) == expected)
            until("the second's figures", lambda: _figures(second) == expected)
            asyncio.run(_publish(broker, _events(range(60, 80))))
            second_process.kill()
        asyncio.run(_publish(broker, _events(range(80, 90))))
        expected = asyncio.run(_recount(broker))
        until("all figures", lambda: _figures(first) == expected)
    assert expected.total() == 90 * len(KINDS)
