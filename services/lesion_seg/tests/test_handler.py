"""A volume becomes a mask of its lesions, which may be none."""

import numpy as np
import pytest

from services.lesion_seg.handler import handle
from shared import provenance
from shared.imaging import volume as volumes
from shared.imaging.tests import scenes
from shared.imaging.volume import Volume
from shared.inference.fake import FakeInference
from shared.store.memory import MemoryStore
from shared.testing.work import work_for

CHEST = scenes.balls(scenes.centred((30, 48, 48), (2.0, 2.0, 2.5)))
WATER = scenes.centred((30, 48, 48), (2.0, 2.0, 2.5))


@pytest.mark.parametrize(("volume", "labels"), [(CHEST, [0, 1]), (WATER, [0])])
def test_lesions_or_none_become_a_mask(volume: Volume, labels: list[int]) -> None:
    store, inference = MemoryStore(), FakeInference({"lesion_seg": scenes.one_label("lesion")})
    payload = store.put(volumes.encode(volume), volumes.MEDIA_TYPE)

    produced = handle(
        work_for("lesion-seg", store, {"reader.volume": payload}), store=store, inference=inference
    )

    mask = volumes.read(store.path(produced.payloads["mask"]))
    assert np.unique(mask.array).tolist() == labels
    assert mask.array.shape == volume.array.shape
    said = provenance.read(produced.payloads["provenance"], store)
    assert said.model == inference.identity("lesion_seg")


def test_the_same_weights_at_another_threshold_give_other_results_of_other_provenance() -> None:
    store = MemoryStore()
    payload = store.put(volumes.encode(CHEST), volumes.MEDIA_TYPE)
    work = work_for("lesion-seg", store, {"reader.volume": payload})

    made = [
        handle(
            work,
            store=store,
            inference=FakeInference({"lesion_seg": scenes.one_label("lesion", threshold=each)}),
        ).payloads
        for each in ("0.2", "0.8")
    ]

    masks, digests = ({each[port].sha256 for each in made} for port in ("mask", "provenance"))
    assert (len(masks), len(digests)) == (2, 2)
    assert len({provenance.read(each["provenance"], store).digest for each in made}) == 2
