"""The stages that ask a model, on a whole CT of 512x512x300 voxels, each as its service runs it.

A Triton of its own with what lies in models/, and one warm worker process per stage: what is
timed begins when the worker is handed its unit of work, and ends when mask or probabilities are
hashed and synced to a folder store. Lungs and lesions run one after the other and at once, in
turns, so that both see the same machine. Memory is the peak of a stage's worker process, and of
Triton with its backends' processes while that stage runs; the CPU seconds of both, least of all
repetitions, tell what a stage costs also on a machine that others use.

    python -m benchmarks.models [--repetitions N] [--set PARAMETER=VALUE …] [--json]

`--set intra_op_thread_count=1` replaces a parameter of every model for this run alone.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.models_run import STAGES, Run, Server, Workers, serving
from benchmarks.report import tell
from phantom import Recipe, draw
from shared.events.models import PayloadRef
from shared.imaging import volume as volumes
from shared.imaging.volume import Volume
from shared.store.folder import FolderStore
from shared.testing.work import work_for

SHAPE = (300, 512, 512)
SPACING = (1.1, 0.7, 0.7)
_SEED = 1


def chest() -> Volume:
    """A phantom with COVID-19, (z, y, x) as `SHAPE`, drawn at half of it and each voxel doubled:
    at full size the drawing would take longer than what is measured."""
    half = Recipe(
        seed=_SEED,
        shape=(SHAPE[0] // 2, SHAPE[1] // 2, SHAPE[2] // 2),
        spacing=(2 * SPACING[0], 2 * SPACING[1], 2 * SPACING[2]),
    )
    hu = draw(half).hu
    for axis in range(3):
        hu = np.repeat(hu, 2, axis)
    return Volume(hu, (SPACING[2], SPACING[1], SPACING[0]))


class _Bench:
    """One CT in a store, and what its stages made of it the last time."""

    def __init__(self, folder: Path, server: Server) -> None:
        self._store = FolderStore(folder)
        self._server = server
        self._workers = Workers(folder, server.address)
        self._made: dict[str, Mapping[str, PayloadRef]] = {}
        self._volume = self._store.put(volumes.encode(chest()), volumes.MEDIA_TYPE)
        self.alone: dict[str, list[Run]] = {stage: [] for stage in STAGES}
        self.triton_cpu_s: dict[str, list[float]] = {stage: [] for stage in STAGES}
        self.triton_mb: dict[str, int] = dict.fromkeys((*STAGES, "both"), 0)
        self.in_turn_s: list[float] = []
        self.at_once_s: list[float] = []

    async def run(self, repetitions: int) -> None:
        """The first time each stage runs is not counted."""
        await self._workers.start()
        try:
            for stage in STAGES:
                await self._stage(stage)
            for _ in range(repetitions):
                await self._round()
        finally:
            self._workers.stop()

    async def _round(self) -> None:
        for stage in STAGES:
            self._server.forget_peak()
            before = self._server.cpu_s()
            self.alone[stage].append(await self._stage(stage))
            self.triton_cpu_s[stage].append(self._server.cpu_s() - before)
            self.triton_mb[stage] = max(self.triton_mb[stage], self._server.peak_mb())
        self.in_turn_s.append(sum(self.alone[s][-1].seconds for s in ("lung-seg", "lesion-seg")))
        self._server.forget_peak()
        begin = perf_counter()
        await asyncio.gather(self._stage("lung-seg"), self._stage("lesion-seg"))
        self.at_once_s.append(perf_counter() - begin)
        self.triton_mb["both"] = max(self.triton_mb["both"], self._server.peak_mb())

    async def _stage(self, stage: str) -> Run:
        lungs = self._made.get("lung-seg", {})
        gathered = {"reader.volume": self._volume}
        gathered |= {f"lung-seg.{port}": ref for port, ref in lungs.items()}
        run = await self._workers.run(
            work_for(stage, self._store, gathered), self._made.get(stage, {})
        )
        self._made[stage] = run.payloads
        return run


def measure(repetitions: int, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Seconds and megabytes of each stage, and of lungs and lesions in turn and at once."""
    with (
        tempfile.TemporaryDirectory(prefix="clarion-models-") as name,
        serving(Path(name), parameters) as server,
    ):
        bench = _Bench(Path(name) / "payloads", server)
        asyncio.run(bench.run(repetitions))
    figures: dict[str, Any] = {"repetitions": repetitions, **parameters}
    for stage, service in STAGES.items():
        runs = bench.alone[stage]
        figures |= {
            f"{service}_s": round(median(run.seconds for run in runs), 3),
            f"{service}_best_s": round(min(run.seconds for run in runs), 3),
            f"{service}_worker_cpu_s": round(min(run.worker_cpu_s for run in runs), 3),
            f"{service}_triton_cpu_s": round(min(bench.triton_cpu_s[stage]), 3),
            f"{service}_worker_mb": max(run.worker_mb for run in runs),
            f"{service}_triton_mb": bench.triton_mb[stage],
        }
    return figures | {
        "in_turn_s": round(median(bench.in_turn_s), 3),
        "in_turn_best_s": round(min(bench.in_turn_s), 3),
        "at_once_s": round(median(bench.at_once_s), 3),
        "at_once_best_s": round(min(bench.at_once_s), 3),
        "at_once_triton_mb": bench.triton_mb["both"],
        "ratio": round(median(bench.at_once_s) / median(bench.in_turn_s), 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="PARAMETER=VALUE")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    pairs = (each.partition("=") for each in told.set)
    figures = measure(told.repetitions, {name: value for name, _, value in pairs})
    tell(figures, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
