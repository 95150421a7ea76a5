"""Two masks become a measurement that names each lung as the definition does."""

import numpy as np

from services.ratio.handler import handle
from shared import provenance
from shared.findings import read_measurement
from shared.imaging import volume as volumes
from shared.imaging.tests import scenes
from shared.store.memory import MemoryStore
from shared.testing.work import work_for


def test_masks_become_a_measurement() -> None:
    store = MemoryStore()
    grid = scenes.centred((20, 40, 40), (2.0, 2.0, 2.0))
    lungs = grid.like(scenes.truth(grid))
    lesions = grid.like((np.equal(lungs.array, 1)).astype(np.uint8))
    payloads = {
        "lung-seg.mask": store.put(volumes.encode(lungs), volumes.MEDIA_TYPE),
        "lesion-seg.mask": store.put(volumes.encode(lesions), volumes.MEDIA_TYPE),
        "lung-seg.provenance": store.put(b"{}", provenance.MEDIA_TYPE),
    }

    produced = handle(work_for("ratio", store, payloads), store=store)

    found = read_measurement(produced.payloads["measurement"], store)
    ratios = {name: lung.whole.ratio_percent for name, lung in found.lungs.items()}
    assert ratios == {"left lung": 100, "right lung": 0}
    said = provenance.read(produced.payloads["provenance"], store)
    assert set(said.inputs) == {"lungs", "lungs.provenance", "lesions"}
    assert said.model is None
