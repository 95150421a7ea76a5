"""Reading a series into a volume: the reader's handler against dcm2niix, as a ratio in one run.

The reader's time is that of a warm worker: manifest read, series chosen and checked, volume
hashed and synced to a folder store, selection written. dcm2niix reads the same files and writes
an uncompressed volume, unhashed and unsynced. The two alternate, so that both see the same
machine.

    python -m benchmarks.reader [--series FOLDER] [--repetitions N] [--json]
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.report import tell
from services.reader.handler import handle
from shared.bus.work import Work
from shared.catalog import ROOT
from shared.store.folder import FolderStore
from shared.testing.manifests import manifest_of
from shared.testing.work import work_for

SERIES = ROOT.parent / "shared/data/chest-ct-real/cmb_crc_01068"


def measure(series: Path, repetitions: int) -> dict[str, object]:
    """Median seconds of both, and their ratio."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="clarion-benchmark-") as folder:
        store = FolderStore(Path(folder) / "payloads")
        manifest, ref = manifest_of(series, store)
        work = work_for("reader", store, {"ingest.manifest": ref})
        _read(work, store)
        for _ in range(repetitions):
            theirs.append(_convert(series, Path(folder) / "converted"))
            ours.append(_read(work, store))
    return {
        "series": series.name,
        "slices": len(manifest.instances),
        "repetitions": repetitions,
        "reader_s": round(median(ours), 4),
        "dcm2niix_s": round(median(theirs), 4),
        "ratio": round(median(ours) / median(theirs), 3),
    }


def _read(work: Work, store: FolderStore) -> float:
    """Seconds; what was made is removed, so that the next time has to write it again."""
    start = perf_counter()
    produced = handle(work, store=store)
    seconds = perf_counter() - start
    for ref in produced.payloads.values():
        store.delete(ref.uri)
    return seconds


def _convert(series: Path, into: Path) -> float:
    into.mkdir()
    command = ["dcm2niix", "-z", "n", "-b", "n", "-o", str(into), str(series)]
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    seconds = perf_counter() - start
    shutil.rmtree(into)
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reader", description=__doc__)
    parser.add_argument("--series", type=Path, default=SERIES, help="a folder of DICOM files")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    missing = [
        what
        for what, there in (
            (f"the series in {told.series}", told.series.is_dir()),
            ("dcm2niix", shutil.which("dcm2niix")),
        )
        if not there
    ]
    if missing:
        sys.stderr.write(f"not measured: {' and '.join(missing)} not found\n")
        return 1
    figures = measure(told.series, told.repetitions)
    tell(figures, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
