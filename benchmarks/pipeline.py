"""A study through the whole system against the same functions in sequence in one process.

Both ask the same Triton with the same models, on the same machine, in turns. The system's time
runs from the end of the quiet time to when job-finished is heard; delivery is in neither.

    python -m benchmarks.pipeline [--series FOLDER] [--repetitions N] [--json]
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pydicom
from pydicom.dataset import FileDataset

import services.classifier.handler
import services.lesion_seg.handler
import services.lung_seg.handler
import services.ratio.handler
import services.reader.handler
import services.writers.handler
from benchmarks.hearing import Ended, Heard, listening
from benchmarks.report import tell
from clarion.part10 import Instance, find
from clarion.storage import Target, store
from deploy.embedded.cache import cache_folder
from deploy.embedded.home import Home, create_home
from deploy.embedded.install import install
from deploy.embedded.system import bring_down, bring_up
from phantom import Recipe, draw
from phantom import dicom as phantom_dicom
from shared.bus.work import Handler
from shared.catalog import ROOT, load_catalog
from shared.events.models import Lane, PayloadRef
from shared.identity import case_id, derived
from shared.inference.triton import TritonInference
from shared.store.folder import FolderStore
from shared.telemetry.tracing import EXPORTED_EVERY_S
from shared.testing.manifests import manifest_of
from shared.testing.work import work_for

SERIES = ROOT.parent / "shared/data/chest-ct-real/cmb_crc_01068"
_IN_ORDER = {
    "reader": "reader",
    "lung-seg": "lung_seg",
    "lesion-seg": "lesion_seg",
    "classifier": "classifier",
    "ratio": "ratio",
    "lung-dicom-seg": "writers",
    "lesion-dicom-seg": "writers",
    "classification-report": "writers",
    "ratio-report": "writers",
}
_PIPELINE = "covid19-ct"


def _silent(*_: object) -> None:
    return None


@contextmanager
def _system(folder: Path) -> Iterator[Home]:
    catalog = load_catalog()
    runtime = install(cache_folder(), _silent)
    home = create_home(folder, catalog, any_ports=True)
    try:
        asyncio.run(bring_up(home, runtime, catalog, _silent, 180))
        yield home
    finally:
        asyncio.run(bring_down(home, _silent))


def _copies(series: Path | None, folder: Path, number: int) -> Path:
    """The series as another study: the same voxels under other UIDs."""
    into = folder / f"study-{number}"
    into.mkdir()
    for index, dataset in enumerate(_datasets(series)):
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            name = f"2.25.{derived('benchmark', number, dataset[keyword].value).int}"
            setattr(dataset, keyword, name)
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(into / f"{index:04}.dcm")
    return into


def _datasets(series: Path | None) -> Iterator[FileDataset]:
    if series is not None:
        yield from (pydicom.dcmread(path) for path in sorted(series.glob("*.dcm")))
        return
    with tempfile.TemporaryDirectory() as folder:
        drawn = phantom_dicom.series(draw(Recipe.random(1, (1.4, 1.4, 4.0), (64, 256, 256))))
        for path in phantom_dicom.write(drawn, Path(folder)):
            yield pydicom.dcmread(path)


def _through_system(home: Home, study: Path) -> float:
    """Seconds from the end of the quiet time to when the job's end was heard."""
    instances = find([study]).instances
    header = pydicom.dcmread(instances[0].path, specific_tags=["StudyInstanceUID"])
    case = case_id(_PIPELINE, str(header.StudyInstanceUID), "study")
    ended = asyncio.run(_ended(home, instances, case))
    time.sleep(2 * EXPORTED_EVERY_S)
    return ended.at - _quiet_until(home, ended.trace_id)


async def _ended(home: Home, instances: Sequence[Instance], case: str) -> Ended:
    heard = Heard()
    async with listening(home.local("kafka"), ("job-finished",), heard.hear):
        await asyncio.to_thread(_send, home, instances)
        return await heard.end_of(case)


def _send(home: Home, instances: Sequence[Instance]) -> None:
    target = Target("COVID19", "127.0.0.1", home.ports["ingest.dicom"])
    for answer in store(target, instances, Lane.ROUTINE):
        if not answer.stored:
            raise RuntimeError(f"not stored: {answer.status}")


def _quiet_until(home: Home, trace_id: str) -> float:
    """When the quiet time of a study ended, in seconds since 1970."""
    spans = httpx.get(f"http://{home.local('console.http')}/api/traces/{trace_id}", timeout=30)
    found = spans.raise_for_status().json()["spans"]
    return max(int(span["end_ns"]) for span in found if span["name"] == "quiet-time") / 1e9


def _handlers(store: FolderStore, inference: TritonInference) -> Mapping[str, Handler]:
    lung_seg, lesion_seg, classifier = (
        partial(module.handler.handle, store=store, inference=inference)
        for module in (services.lung_seg, services.lesion_seg, services.classifier)
    )
    return {
        "reader": partial(services.reader.handler.handle, store=store),
        "lung_seg": lung_seg,
        "lesion_seg": lesion_seg,
        "classifier": classifier,
        "ratio": partial(services.ratio.handler.handle, store=store),
        "writers": partial(services.writers.handler.handle, store=store),
    }


def _in_sequence(study: Path, folder: Path, inference: TritonInference) -> dict[str, float]:
    """Seconds of each stage, one after the other in this process."""
    payloads = FolderStore(folder)
    handlers = _handlers(payloads, inference)
    _, manifest = manifest_of(study, payloads)
    gathered: dict[str, PayloadRef] = {"ingest.manifest": manifest}
    took = {}
    for stage, service in _IN_ORDER.items():
        work = work_for(stage, payloads, gathered)
        begin = time.perf_counter()
        made = handlers[service](work)
        took[stage] = time.perf_counter() - begin
        gathered |= {f"{stage}.{port}": ref for port, ref in made.payloads.items()}
    return took


def measure(series: Path | None, repetitions: int, say: Callable[[str], object]) -> dict[str, Any]:
    """Median seconds of both, and their ratio."""
    ours: list[float] = []
    theirs: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="clarion-pipeline-") as name:
        folder = Path(name)
        with _system(folder / "home") as home:
            inference = TritonInference(home.triton_address, shared_memory=True)
            for number in range(repetitions + 1):
                say(f"repetition {number} of {repetitions}")
                study = _copies(series, folder, number)
                ours.append(_through_system(home, study))
                theirs.append(_in_sequence(study, folder / f"store-{number}", inference))
            inference.close()
    sequence = [sum(took.values()) for took in theirs[1:]]
    return {
        "series": series.name if series else "phantom",
        "repetitions": repetitions,
        "system_s": round(median(ours[1:]), 3),
        "sequence_s": round(median(sequence), 3),
        "ratio": round(median(ours[1:]) / median(sequence), 3),
        "stages_s": {s: round(median(took[s] for took in theirs[1:]), 3) for s in _IN_ORDER},
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__)
    parser.add_argument("--series", type=Path, help="a folder of DICOM files; else a phantom")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    series = told.series or (SERIES if SERIES.is_dir() else None)
    figures = measure(series, told.repetitions, lambda text: sys.stderr.write(f"{text}\n"))
    tell(figures, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
