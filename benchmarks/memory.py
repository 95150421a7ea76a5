"""Whether anything grows: resident memory of every process over many jobs, handlers instant.

    python -m benchmarks.memory [--jobs N] [--json]

`kb_per_job` is the slope of each process's resident memory, workers apart, from the 100th job on
(a line through all samples: one late allocation of the allocator's is no leak). The broker is a
JVM, whose heap has a bound of its own: it is told, and not counted.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import linear_regression
from typing import Any

import psutil

from benchmarks import jobs
from benchmarks.instant_system import System, broker, serve
from benchmarks.report import tell

_SETTLED = 100
_BETWEEN = 20
Sample = tuple[int, Mapping[str, float]]
"""Jobs so far, and the KB of each process."""


def _kb(system: System) -> dict[str, float]:
    """Resident KB of each service's main process, and of each of its workers."""
    found = {}
    for name, process in system.processes.items():
        found[name] = process.memory_info().rss / 1024
        for number, child in enumerate(_workers(process)):
            found[f"{name} worker {number}"] = child.memory_info().rss / 1024
    return found


def _workers(process: psutil.Process) -> list[psutil.Process]:
    """Those that run handlers: children of the server that forks them."""
    servers = process.children()
    return sorted((child for one in servers for child in one.children()), key=lambda one: one.pid)


def slopes(samples: Sequence[Sample]) -> dict[str, float]:
    """KB per job of each process that was there all the time."""
    numbers = [number for number, _ in samples]
    return {
        name: linear_regression(numbers, [kb[name] for _, kb in samples]).slope
        for name in samples[-1][1]
        if all(name in kb for _, kb in samples)
    }


def measure(count: int) -> dict[str, Any]:
    """Growth of each process over so many jobs after the first hundred."""
    with (
        tempfile.TemporaryDirectory(prefix="clarion-memory-") as name,
        broker(Path(name)) as system,
    ):
        serve(system)
        asyncio.run(jobs.run(system, range(_SETTLED)))
        samples = [(0, _kb(system))]
        for first in range(0, count, _BETWEEN):
            end = min(first + _BETWEEN, count)
            asyncio.run(jobs.run(system, range(_SETTLED + first, _SETTLED + end)))
            samples.append((end, _kb(system)))
    grown = slopes(samples)
    counted = {name: slope for name, slope in grown.items() if name != "kafka"}
    return {
        "jobs": count,
        "kb_per_job": {name: round(slope, 1) for name, slope in grown.items()},
        "most_kb_per_job": round(max(counted.values()), 1),
        "all_kb_per_job": round(sum(counted.values()), 1),
        "mb": {name: round(kb / 1024, 1) for name, kb in samples[-1][1].items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--jobs", type=int, default=300, help="after the first hundred")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    tell(measure(told.jobs), told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
