"""Whether anything grows: resident memory of every process while small studies go through.

    python -m benchmarks.memory [--jobs N] [--json]

The studies are sent to the embedded system over DICOM, models answer in a moment, and what is made
is delivered to the system's PACS before memory is looked at: of ingest, every service with its fork
server and workers, Triton, Kafka, the PACS, and supervisord.

`kb_per_job` is the slope of each process's resident memory from the 100th job on (a line through
all samples: one late allocation of the allocator's is no leak). Memory that processes share counts
in each. The broker is a JVM, whose heap has a bound of its own: it is told, and not counted.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import linear_regression
from typing import Any, TypeVar

import psutil

from benchmarks.hospital import hospital
from benchmarks.report import tell
from deploy.embedded.home import Home
from deploy.embedded.supervisor import Control
from phantom.studies import SLAB, drawn
from shared.events.models import Lane
from tests.chaos.models import make_instant

_SETTLED = 100
_BETWEEN = 20
Key = TypeVar("Key", bound=Hashable)


def processes(home: Home) -> dict[psutil.Process, str]:
    """Every process of the home, and what it is called."""
    programs = {psutil.Process(pid): name for name, pid in Control(home).pids().items()}
    supervisors = {main.parent(): "supervisord" for main in programs}
    found = {process: name for process, name in supervisors.items() if process}
    for main, name in programs.items():
        found |= family(main, name)
    return found


def family(main: psutil.Process, name: str) -> Iterator[tuple[psutil.Process, str]]:
    """A program, and what descends from it: numbered, the oldest first."""
    yield main, name
    numbers: Counter[str] = Counter()
    for process in sorted(main.children(recursive=True), key=lambda each: each.create_time()):
        kind = _kind(process, main)
        yield process, f"{name} {kind} {numbers[kind]}"
        numbers[kind] += 1


def _kind(process: psutil.Process, main: psutil.Process) -> str:
    """A worker has the command of the server that forked it."""
    command = " ".join(process.cmdline())
    if "multiprocessing.forkserver" in command:
        return "fork server" if process.ppid() == main.pid else "worker"
    return "resource tracker" if "multiprocessing.resource_tracker" in command else process.name()


def slopes(samples: Sequence[tuple[int, Mapping[Key, float]]]) -> dict[Key, float]:
    """KB per job of each process that was there all the time; a sample is jobs so far, and KB."""
    numbers = [number for number, _ in samples]
    return {
        process: linear_regression(numbers, [kb[process] for _, kb in samples]).slope
        for process in samples[-1][1]
        if all(process in kb for _, kb in samples)
    }


async def measure(folder: Path, count: int) -> dict[str, Any]:
    """Growth of each process over so many jobs after the first hundred."""
    samples = []
    async with hospital(folder, drawn(SLAB), prepare=make_instant) as system:
        for done in range(_BETWEEN, _SETTLED + count + 1, _BETWEEN):
            await system.delivered(Lane.ROUTINE, _BETWEEN)
            if done >= _SETTLED:
                named = processes(system.home)
                kb = {process: process.memory_info().rss / 1024 for process in named}
                samples.append((done - _SETTLED, kb))
                sys.stderr.write(f"{done} of {_SETTLED + count} jobs\n")
    grown = {named[process]: slope for process, slope in slopes(samples).items()}
    counted = {name: slope for name, slope in grown.items() if name != "kafka"}
    jobs, last = samples[-1]
    return {
        "jobs": jobs,
        "kb_per_job": {name: round(slope, 1) for name, slope in grown.items()},
        "most_kb_per_job": round(max(counted.values()), 1),
        "all_kb_per_job": round(sum(counted.values()), 1),
        "mb": {named[process]: round(kb / 1024, 1) for process, kb in last.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument(
        "--jobs", type=int, default=300, help="after the first hundred, in twenties"
    )
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clarion-memory-") as name:
        figures = asyncio.run(measure(Path(name) / "home", told.jobs))
    tell(figures, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
