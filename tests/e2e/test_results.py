"""Two replicas of results on a real broker: inputs that were lost, and a replica that is killed."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaConsumer

from deploy.embedded.ports import free_ports
from deploy.embedded.tests.processes import running
from shared.bus import announced
from shared.bus.announced import Announced
from shared.bus.topics import create
from shared.bus.units import DEFINITION
from shared.catalog import ROOT, load_topics
from shared.events.examples import EXAMPLES
from shared.events.models import InputReady
from shared.events.wire import Event, decode
from shared.identity import event_id
from shared.store.open import open_store
from shared.store.port import PayloadStore
from tests.e2e.system import until

pytestmark = pytest.mark.e2e
_WITHIN_S = 300.0
_PIPELINE = ROOT / "deploy/pipelines/covid19-ct.yaml"


@dataclass(frozen=True)
class Replica:
    """A process of results and its API."""

    process: "Popen[bytes]"
    api: httpx.Client

    def is_ready(self) -> bool:
        try:
            return self.api.get("/health").is_success
        except httpx.HTTPError:
            return False

    def jobs(self) -> set[str]:
        """The jobs that are in the ledger, those of other tests on this broker among them."""
        return {job["job_id"] for job in self.api.get("/jobs").json()}


@contextmanager
def _replica(broker: str, folder: Path, name: str) -> Iterator[Replica]:
    port, health = free_ports(2)
    told = {
        "CLARION_KAFKA": broker,
        "CLARION_STORE": f"file:{folder}/payloads",
        "CLARION_LEDGER": f"sqlite:///{folder}/ledger.db",
        "CLARION_INSTANCE": name,
        "CLARION_API_PORT": str(port),
        "CLARION_HEALTH_PORT": str(health),
        "CLARION_PATIENCE_S": "5",
    }
    command = [sys.executable, "-m", "services.results"]
    with (
        running(command, folder / f"{name}.log", told) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as api,
    ):
        replica = Replica(process, api)
        until("results is ready", replica.is_ready, _WITHIN_S)
        yield replica


def _announce(store: PayloadStore) -> str:
    """What ingest leaves of a job whose input-ready the bus has lost."""
    example = EXAMPLES["input-ready"]
    assert isinstance(example, InputReady)
    definition = store.put(_PIPELINE.read_bytes(), "application/yaml")
    job, now = str(uuid4()), datetime.now(UTC)
    moments = {"received_at": now, "started_at": now, "finished_at": now}
    payloads = {**example.payloads, DEFINITION: definition}
    data = example.model_copy(update={"job_id": job, "payloads": payloads, **moments})
    name = event_id(job, 1, data.stage, announced.KIND)
    announced.keep(store, Announced(id=name, time=now, traceparent="", partition=1, data=data))
    return job


async def _told(broker: str, kind: str) -> list[Event]:
    """Every record of a kind, also where one event lies there twice."""
    topics = load_topics().names(kind)
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=broker, auto_offset_reset="earliest")
    await consumer.start()
    found = []
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for part in (await consumer.getmany(timeout_ms=500)).values():
                found += [decode(record.headers, record.value or b"") for record in part]
    finally:
        await consumer.stop()
    return found


def test_lost_inputs_are_found_and_each_job_ends_once_though_a_replica_is_killed(
    broker: str, tmp_path: Path
) -> None:
    asyncio.run(create(broker, load_topics()))
    store = open_store(f"file:{tmp_path}/payloads")
    jobs = {_announce(store) for _ in range(5)}
    with _replica(broker, tmp_path, "1") as first, _replica(broker, tmp_path, "2") as second:
        until("the jobs are in the ledger", lambda: second.jobs() >= jobs, _WITHIN_S)
        until("nothing is left to announce", lambda: not announced.jobs(store), _WITHIN_S)
        first.process.kill()
        for job in jobs:
            assert second.api.post(f"/jobs/{job}/cancel").status_code == 202

        def ended() -> Counter[str]:
            return Counter(event.subject for event in asyncio.run(_told(broker, "job-finished")))

        until("each job ended", lambda: ended().keys() >= jobs, _WITHIN_S)
        assert {job: ended()[job] for job in jobs} == dict.fromkeys(jobs, 1)
