"""What the platform costs: every handler instant, real Kafka, all stages, one job at a time.

The peer, in the same run, is the bare relay: as many chained hops over the same broker, with one
acknowledged send and one commit each, and nothing else: no outcome, no worker process, no ledger.

    python -m benchmarks.overhead [--jobs N] [--json]
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
import yaml

from benchmarks.instant_system import System, cpu_s, running
from benchmarks.relay import relay
from benchmarks.report import tell
from shared.bus.kafka import KafkaPublisher, group_consumer, read_facts, start_publisher
from shared.bus.received import Received
from shared.bus.units import DEFINITION
from shared.catalog import ROOT, load_topics
from shared.clock import system_clock
from shared.events.models import Completeness, InputReady, Lane, PayloadRef
from shared.events.wire import Event
from shared.identity import event_id, job_id, trace_id
from shared.store.open import open_store

_WARM_UP = 20
_HOPS = 5
"""The longest way: reader, a segmentation, ratio, a writer, results."""

Hear = Callable[[Sequence[Received]], Awaitable[None]]


def _definition() -> bytes:
    document = yaml.safe_load((ROOT / "deploy/pipelines/covid19-ct.yaml").read_text())
    return yaml.safe_dump({**document, "deliver": {}}).encode()


async def _jobs(system: System, numbers: range) -> list[tuple[str, float]]:
    """Run jobs one after the other; the trace and the seconds of each."""
    finished: dict[str, asyncio.Event] = {}

    async def hear(batch: Sequence[Received]) -> None:
        for received in batch:
            finished.setdefault(received.event.subject, asyncio.Event()).set()

    store = open_store(system.store)
    refs = {
        DEFINITION: store.put(_definition(), "application/yaml"),
        "ingest.manifest": store.put(b"{}", "application/json"),
    }
    async with _listening(system.kafka, hear) as publisher:
        taken = []
        for number in numbers:
            job = job_id("benchmark", 1, str(number))
            done = finished.setdefault(job, asyncio.Event())
            begin = time.perf_counter()
            await publisher.publish(_input_ready(job, refs), Lane.ROUTINE, number % 4)
            await asyncio.wait_for(done.wait(), 30)
            taken.append((f"{trace_id(job, 1):032x}", time.perf_counter() - begin))
        return taken


@asynccontextmanager
async def _listening(bootstrap: str, hear: Hear) -> AsyncIterator[KafkaPublisher]:
    publisher, producer = await start_publisher(bootstrap)
    consumer = group_consumer(bootstrap, "benchmark", "1")
    await consumer.start()
    reading = asyncio.create_task(
        read_facts(consumer, publisher, load_topics(), ("job-finished",), hear)
    )
    while not consumer.assignment():
        await asyncio.sleep(0.05)
    try:
        yield publisher
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await consumer.stop()
        await producer.stop()


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


def _where(system: System, traces: Sequence[str]) -> dict[str, float]:
    """Mean milliseconds per job inside the leaf spans of each name, all stages together."""
    sums: dict[str, float] = {}
    for trace in traces:
        spans = httpx.get(f"{system.console}/api/traces/{trace}", timeout=30).json()["spans"]
        parents = {span["parent_id"] for span in spans}
        for span in spans:
            if span["span_id"] not in parents:
                took = (span["end_ns"] - span["start_ns"]) / 1e6
                sums[span["name"]] = sums.get(span["name"], 0) + took
    ranked = sorted(sums.items(), key=lambda item: -item[1])
    return {name: round(total / len(traces), 2) for name, total in ranked}


def measure(jobs: int) -> dict[str, Any]:
    """Latency and CPU of a job through all stages, and of the bare relay."""
    with (
        tempfile.TemporaryDirectory(prefix="clarion-overhead-") as name,
        running(Path(name)) as system,
    ):
        asyncio.run(_jobs(system, range(_WARM_UP)))
        before = cpu_s(system)
        taken = asyncio.run(_jobs(system, range(_WARM_UP, _WARM_UP + jobs)))
        cpu = {name: (used - before[name]) / jobs for name, used in cpu_s(system).items()}
        bare = asyncio.run(relay(system.kafka, _HOPS, _WARM_UP + jobs))[_WARM_UP:]
        time.sleep(1)  # spans are exported every 200 ms
        ours = [seconds for _, seconds in taken]
        return {
            "jobs": jobs,
            "ms_per_job": round(median(ours) * 1e3, 1),
            "ms_p95": round(quantiles(ours, n=20)[-1] * 1e3, 1),
            "cpu_ms_per_job": round(sum(cpu.values()) * 1e3, 1),
            "cpu_ms": {name: round(used * 1e3, 1) for name, used in cpu.items()},
            "relay_ms": round(median(bare) * 1e3, 1),
            "ratio": round(median(ours) / median(bare), 2),
            "leaf_ms": _where(system, [trace for trace, _ in taken[-20:]]),
        }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    figures = measure(told.jobs)
    tell(figures, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
