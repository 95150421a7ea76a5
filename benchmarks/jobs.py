"""Jobs as ingest would announce them, and their ends, for a benchmark of the platform."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import yaml

from benchmarks.hearing import listening
from benchmarks.instant_system import System
from shared.bus.kafka import start_publisher
from shared.bus.received import Received
from shared.bus.units import DEFINITION
from shared.catalog import ROOT
from shared.clock import system_clock
from shared.events.models import Completeness, InputReady, Lane, PayloadRef
from shared.events.wire import Event
from shared.identity import event_id, job_id, trace_id
from shared.store.open import open_store

_JOB_S = 300


async def run(system: System, numbers: range, together: int = 1) -> list[tuple[str, float]]:
    """Run jobs, so many under way at a time; the trace and the seconds of each."""
    finished: dict[str, asyncio.Event] = {}
    places = asyncio.Semaphore(together)

    async def hear(batch: Sequence[Received]) -> None:
        for received in batch:
            finished.setdefault(received.event.subject, asyncio.Event()).set()

    refs = _payloads(system)
    async with listening(system.kafka, ("job-finished",), hear) as publisher:

        async def one(number: int) -> tuple[str, float]:
            job = job_id("benchmark", 1, str(number))
            done = finished.setdefault(job, asyncio.Event())
            async with places:
                begin = time.perf_counter()
                await publisher.publish(_input_ready(job, refs), Lane.ROUTINE, number % 4)
                await asyncio.wait_for(done.wait(), _JOB_S)
                return f"{trace_id(job, 1):032x}", time.perf_counter() - begin

        return await asyncio.gather(*(one(number) for number in numbers))


async def all_at_once(system: System, numbers: range) -> None:
    """Announce the jobs of these numbers, over all partitions, and wait for none."""
    refs = _payloads(system)
    publisher, producer = await start_publisher(system.kafka, "benchmark")
    try:
        for first in range(0, len(numbers), 500):
            jobs = [
                (job_id("backlog", 1, str(number)), number % 4)
                for number in numbers[first : first + 500]
            ]
            await asyncio.gather(
                *(
                    publisher.publish(_input_ready(job, refs), Lane.ROUTINE, partition)
                    for job, partition in jobs
                )
            )
    finally:
        await producer.stop()


def _payloads(system: System) -> dict[str, PayloadRef]:
    store = open_store(system.store)
    document = yaml.safe_load((ROOT / "deploy/pipelines/covid19-ct.yaml").read_text())
    definition = yaml.safe_dump({**document, "deliver": {}}).encode()
    return {
        DEFINITION: store.put(definition, "application/yaml"),
        "ingest.manifest": store.put(b"{}", "application/json"),
    }


def _input_ready(job: str, refs: Mapping[str, PayloadRef]) -> Event:
    now = system_clock()
    data = InputReady(
        job_id=job,
        case_id="benchmark",
        version=1,
        run=1,
        pipeline="covid19-ct",
        lane=Lane.ROUTINE,
        received_at=now,
        stage="ingest",
        started_at=now,
        finished_at=now,
        payloads=dict(refs),
        completeness=Completeness(rule="benchmark", instances=0, waited_s=0),
    )
    traceparent = f"00-{trace_id(job, 1):032x}-{1:016x}-01"
    name = event_id(job, 1, "ingest", "input-ready")
    return Event(name, "ingest", "input-ready", job, now, traceparent, data)
