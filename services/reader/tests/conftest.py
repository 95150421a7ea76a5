"""What the reader's tests share: real series where they are, and one call that reads a study."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from services.reader.handler import handle
from shared import selection
from shared.imaging import volume
from shared.imaging.volume import Volume
from shared.selection import Selection
from shared.store.memory import MemoryStore
from shared.testing.manifests import manifest_of
from shared.testing.work import work_for

DATA = Path(__file__).resolve().parents[4] / "shared/data"


@dataclass(frozen=True)
class Reading:
    """What the reader made of a study."""

    volume: Volume
    selection: Selection
    warnings: tuple[str, ...]
    digest: str


Read = Callable[[Path | Iterable[Path | Dataset]], Reading]


@pytest.fixture
def read() -> Read:
    """Reads files or data sets as one study. Raises what the handler raises."""

    def reading(files: Path | Iterable[Path | Dataset]) -> Reading:
        store = MemoryStore()
        _, manifest = manifest_of(files, store)
        produced = handle(work_for("reader", store, {"ingest.manifest": manifest}), store=store)
        made = produced.payloads["volume"]
        mapped = volume.read(store.path(made))
        chosen = selection.read(produced.payloads["selection"], store)
        return Reading(mapped.like(mapped.array.copy()), chosen, produced.warnings, made.sha256)

    return reading


@pytest.fixture
def data() -> Path:
    """The folder of real series."""
    if not DATA.is_dir():
        pytest.skip("no real series: ../shared/data is not there")
    return DATA
