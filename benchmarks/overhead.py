"""What the platform costs: every handler instant, real Kafka, one job at a time and then a stream
of them.

Not in the cost: delivery (the jobs have no destination: no association with a PACS, and none of the
four dicom-delivered events of a job, which results publishes and statistics keeps), ingest, whose
place the benchmark takes, and Triton.

The peer, in the same run, is the bare relay: as many chained hops over the same broker, with one
acknowledged send and one commit each, and nothing else: no outcome, no worker process, no ledger.

    python -m benchmarks.overhead [--jobs N] [--warm-up N] [--sample SERVICE] [--json]
    python -m benchmarks.overhead --backlog EVENTS [--json]

The broker's compiler learns for some hundred jobs: `--warm-up` says how many jobs come before those
that count.

`cpu_ms` is user and system time of each process per job, from /proc; `idle_cpu_ms_per_s` the same
per second while nothing happens (and is taken off the time in which the last spans are exported).
`--backlog` measures instead how a stage service drains so many events, and the ledger and
statistics ten times as many; `--sample` adds where the main process of one service spends its CPU
time.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

from benchmarks import backlog, jobs
from benchmarks.instant_system import ALL, System, broker, cpu_s, end, samples, serve
from benchmarks.relay import relay
from benchmarks.report import tell
from shared.telemetry.tracing import EXPORTED_EVERY_S

_HOPS = 5
"""The longest way: reader, a segmentation, ratio, a writer, results."""
_TOGETHER = 8
"""Jobs under way at a time in the stream."""
_IDLE_S = 5.0
_EXPORTED_S = 2 * EXPORTED_EVERY_S


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


def _idle(system: System) -> dict[str, float]:
    """CPU milliseconds a second of every process while there is nothing to do."""
    time.sleep(_EXPORTED_S)
    before = cpu_s(system)
    time.sleep(_IDLE_S)
    return _spent(system, before, _IDLE_S, {})


def _until_exported(
    system: System, before: Mapping[str, float], jobs: int, idle: Mapping[str, float]
) -> dict[str, float]:
    """CPU milliseconds of each job by process, with the spans and commits that follow it."""
    time.sleep(_EXPORTED_S)
    idled = {name: used * _EXPORTED_S / jobs for name, used in idle.items()}
    return _spent(system, before, jobs, idled)


def _stream(system: System, numbers: range, idle: Mapping[str, float]) -> dict[str, Any]:
    """What a job costs while others are under way, as where studies come without pause."""
    before, begin = cpu_s(system), time.perf_counter()
    asyncio.run(jobs.run(system, numbers, _TOGETHER))
    took = time.perf_counter() - begin
    cpu = _until_exported(system, before, len(numbers), idle)
    return {
        "under_way": _TOGETHER,
        "jobs_per_s": round(len(numbers) / took, 1),
        "cpu_ms_per_job": round(sum(cpu.values()), 1),
        "cpu_ms": cpu,
    }


def _spent(
    system: System, before: Mapping[str, float], parts: float, less: Mapping[str, float]
) -> dict[str, float]:
    """CPU milliseconds since `before`, by process, for each of so many parts, `less` what idles."""
    spent = {
        name: 1e3 * (used - before.get(name, 0)) / parts for name, used in cpu_s(system).items()
    }
    return {name: round(each - less.get(name, 0), 2) for name, each in spent.items()}


def measure(count: int, warm_up: int, sampled: str = "") -> dict[str, Any]:
    """Latency and CPU of a job through all services, and of the bare relay."""
    with (
        tempfile.TemporaryDirectory(prefix="clarion-overhead-") as name,
        broker(Path(name)) as system,
    ):
        serve(system, ALL, sampled)
        asyncio.run(jobs.run(system, range(warm_up)))
        idle = _idle(system)
        before = cpu_s(system)
        taken = asyncio.run(jobs.run(system, range(warm_up, warm_up + count)))
        cpu = _until_exported(system, before, count, idle)
        bare = asyncio.run(relay(system.kafka, _HOPS, warm_up + count))[warm_up:]
        ours = [seconds for _, seconds in taken]
        figures = {
            "jobs": count,
            "warm_up": warm_up,
            "ms_per_job": round(median(ours) * 1e3, 1),
            "ms_p95": round(quantiles(ours, n=20)[-1] * 1e3, 1),
            "cpu_ms_per_job": round(sum(cpu.values()), 1),
            "cpu_ms": cpu,
            "idle_cpu_ms_per_s": {"all": round(sum(idle.values()), 1), **idle},
            "relay_ms": round(median(bare) * 1e3, 1),
            "ratio": round(median(ours) / median(bare), 2),
            "leaf_ms": _where(system, [trace for trace, _ in taken[-20:]]),
            "stream": _stream(system, range(warm_up + count, warm_up + 2 * count), idle),
        }
        if sampled:
            end(system, sampled)
            figures["sampled"] = {sampled: json.loads(samples(system).read_text())}
        return figures


def measure_backlog(events: int) -> dict[str, Any]:
    """How a stage service, the ledger and statistics drain a backlog."""
    with (
        tempfile.TemporaryDirectory(prefix="clarion-backlog-") as name,
        broker(Path(name)) as system,
    ):
        return {"backlog": events, **backlog.drain(system, events)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--warm-up", type=int, default=20, metavar="N")
    parser.add_argument("--backlog", type=int, default=0, metavar="EVENTS")
    parser.add_argument("--sample", default="", metavar="SERVICE", choices=["", *ALL])
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    if told.backlog:
        figures = measure_backlog(told.backlog)
    else:
        figures = measure(told.jobs, told.warm_up, told.sample)
    tell(figures, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
