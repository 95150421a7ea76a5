"""An urgent study on a machine that is busy with others: how much longer does it take?

The embedded system with the reference models, as a hospital has it. Urgent studies are sent one at
a time, first to an idle system, then to one with at least so many bulk jobs queued; what is
compared is the time from the release of the sender's association to when job-finished is heard on
the bus, less the quiet time that ingest waits. Studies are made before they are needed, and sent on
the same machine. Ratios are of one run.

    python -m benchmarks.urgent [--urgent N] [--queued N] [--json]

`idle_ms` and `busy_ms` tell where the time of an urgent job went: the mean of each kind of leaf
span, all of a job's added up; `slowest_ms` that of the slowest of the busy ones. Stages run side by
side, so that they are more than the job took.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

from benchmarks.feeder import Feeder
from benchmarks.hospital import Hospital, Timed, hospital
from benchmarks.report import tell
from clarion.load.machine import cpu_times, used_percent
from phantom.anatomy import draw
from phantom.recipe import Recipe
from shared.events.models import Lane
from shared.telemetry.tracing import EXPORTED_EVERY_S

_RECIPE = Recipe(shape=(48, 128, 128), spacing=(6.0, 2.8, 2.8), lesions=4)
"""A whole chest in thick slices."""
_WARM_UP = 3
_LISTED = 12


@dataclass(frozen=True)
class Busy:
    """What became of the urgent studies and of the others while the machine was busy."""

    timed: Sequence[Timed]
    cpu_percent: float
    least_queued: int
    bulk_per_h: float


async def _one_by_one(system: Hospital, count: int, what: str) -> list[Timed]:
    """Urgent studies, each sent when the one before it has ended."""
    timed = []
    for number in range(count):
        timed.append(await system.timed(Lane.STAT))
        sys.stderr.write(f"{what} {number + 1} of {count}: {timed[-1].seconds:.2f} s\n")
    return timed


async def _busily(system: Hospital, count: int, queued: int) -> Busy:
    """The same, with so many bulk jobs that wait or are in work all the time."""
    async with Feeder(system, queued, 2 * count) as feeder:
        await feeder.full.wait()
        began, ended, cpu = feeder.now(), system.heard.ended(Lane.BULK), cpu_times()
        timed = await _one_by_one(system, count, "busy")
        busy = used_percent(cpu, cpu_times())
        bulk = system.heard.ended(Lane.BULK) - ended
        return Busy(timed, busy, feeder.least, 3600 * bulk / (feeder.now() - began))


async def _both(folder: Path, urgent: int, queued: int) -> dict[str, Any]:
    async with hospital(folder, draw(_RECIPE)) as system:
        await _one_by_one(system, _WARM_UP, "warm-up")
        idle = await _one_by_one(system, urgent, "idle")
        busy = await _busily(system, urgent, queued)
        await asyncio.sleep(2 * EXPORTED_EVERY_S)
        before, after = ([each.seconds for each in timed] for timed in (idle, busy.timed))
        return {
            "models": "reference",
            "volume": system.volume,
            "urgent": urgent,
            "idle_s": _spread(before),
            "busy_s": _spread(after),
            "p95_ratio": round(_p95(after) / _p95(before), 2),
            "p50_ratio": round(median(after) / median(before), 2),
            "bulk_queued_least": busy.least_queued,
            "bulk_per_h": round(busy.bulk_per_h),
            "cpu_percent": busy.cpu_percent,
            "idle_ms": _where(system, idle),
            "busy_ms": _where(system, busy.timed),
            "slowest_ms": _where(system, [max(busy.timed, key=lambda each: each.seconds)]),
        }


def _where(system: Hospital, timed: Sequence[Timed]) -> dict[str, float]:
    """Mean milliseconds per job inside the leaf spans of each kind, the largest first."""
    sums: dict[str, float] = {}
    for each in timed:
        url = f"http://{system.home.local('console.http')}/api/traces/{each.trace_id}"
        spans = httpx.get(url, timeout=60, trust_env=False).json()["spans"]
        parents = {span["parent_id"] for span in spans}
        for span in (span for span in spans if span["span_id"] not in parents):
            name = f"{span['service']} {span['name']}"
            sums[name] = sums.get(name, 0) + (span["end_ns"] - span["start_ns"]) / 1e6
    ranked = sorted(sums.items(), key=lambda item: -item[1])
    return {name: round(total / len(timed), 1) for name, total in ranked[:_LISTED]}


def _spread(took: Sequence[float]) -> dict[str, float]:
    found = {"p50": median(took), "p95": _p95(took), "longest": max(took)}
    return {name: round(seconds, 3) for name, seconds in found.items()}


def _p95(took: Sequence[float]) -> float:
    return quantiles(took, n=20, method="inclusive")[-1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.urgent", description=__doc__)
    parser.add_argument("--urgent", type=int, default=30, help="urgent studies in each half")
    parser.add_argument("--queued", type=int, default=50, help="bulk jobs queued, at least")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clarion-urgent-") as name:
        figures = asyncio.run(_both(Path(name) / "home", told.urgent, told.queued))
    tell(figures, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
