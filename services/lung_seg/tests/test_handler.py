"""A volume becomes a mask of its lungs, or a refusal that says why."""

import numpy as np
import pytest

from services.lung_seg.handler import handle
from shared import provenance
from shared.errors import InputRejected, Unavailable
from shared.events.models import PayloadRef
from shared.imaging import volume as volumes
from shared.imaging.model_parameters import BadModel
from shared.imaging.tests import scenes
from shared.imaging.volume import Volume
from shared.inference.fake import FakeInference
from shared.store.memory import MemoryStore
from shared.testing.work import work_for


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def inference() -> FakeInference:
    return FakeInference({"lung_seg": scenes.model()})


def _put(volume: Volume, store: MemoryStore) -> dict[str, PayloadRef]:
    return {"reader.volume": store.put(volumes.encode(volume), volumes.MEDIA_TYPE)}


def _chest() -> Volume:
    """Lungs hold more than air."""
    air = _air()
    return air.like(np.maximum(air.array, np.int16(-900)))


def _air() -> Volume:
    return scenes.balls(scenes.centred((30, 48, 48), (2.0, 2.0, 2.5)))


def test_a_volume_becomes_a_mask_on_its_grid(store: MemoryStore, inference: FakeInference) -> None:
    work = work_for("lung-seg", store, _put(_chest(), store))

    produced = handle(work, store=store, inference=inference)

    mask = volumes.read(store.path(produced.payloads["mask"]))
    assert (mask.array.shape, mask.spacing) == ((30, 48, 48), (2.0, 2.0, 2.5))
    assert np.unique(mask.array).tolist() == [0, 1, 2]
    assert produced.warnings == ()


def test_its_provenance_names_the_model(store: MemoryStore, inference: FakeInference) -> None:
    work = work_for("lung-seg", store, _put(_chest(), store))

    produced = handle(work, store=store, inference=inference)

    said = provenance.read(produced.payloads["provenance"], store)
    assert said.model == inference.identity("lung_seg")
    assert said.inputs == {"volume": work.input("volume").sha256}


def test_the_same_work_gives_the_same_bytes(store: MemoryStore, inference: FakeInference) -> None:
    work = work_for("lung-seg", store, _put(_chest(), store))

    once, again = (handle(work, store=store, inference=inference) for _ in range(2))

    assert once == again


@pytest.mark.parametrize("kept", [slice(0, 16), slice(12, 30)], ids=["above", "below"])
def test_lungs_cut_by_an_end_of_the_scan_are_a_warning(
    kept: slice, store: MemoryStore, inference: FakeInference
) -> None:
    chest = _chest()
    part = chest.like(np.ascontiguousarray(chest.array[kept]))

    produced = handle(
        work_for("lung-seg", store, _put(part, store)), store=store, inference=inference
    )

    assert produced.warnings == ("lungs-truncated",)


def test_no_lungs_are_refused_with_the_stages_code(
    store: MemoryStore, inference: FakeInference
) -> None:
    water = scenes.centred((20, 30, 30), (1.0, 1.0, 1.0))

    with pytest.raises(InputRejected) as raised:
        handle(work_for("lung-seg", store, _put(water, store)), store=store, inference=inference)

    [reason] = raised.value.reasons
    assert (reason.code, reason.numbers) == ("lungs-not-found", {"found_ml": 0.0})


def test_air_that_a_model_takes_for_lungs_is_refused_too(
    store: MemoryStore, inference: FakeInference
) -> None:
    with pytest.raises(InputRejected) as raised:
        handle(work_for("lung-seg", store, _put(_air(), store)), store=store, inference=inference)

    [reason] = raised.value.reasons
    assert (reason.code, reason.numbers) == ("lungs-not-found", {"median_hu": -1000.0})


def test_a_model_with_other_labels_is_a_defect(store: MemoryStore) -> None:
    swapped = FakeInference({"lung_seg": scenes.model(labels="0 none,1 right lung,2 left lung")})

    with pytest.raises(BadModel, match=r"gives \{1: 'right lung'.* the stage asks for"):
        handle(work_for("lung-seg", store, _put(_chest(), store)), store=store, inference=swapped)


def test_a_server_that_is_down_is_unavailable(store: MemoryStore, inference: FakeInference) -> None:
    inference.down = True

    with pytest.raises(Unavailable):
        handle(work_for("lung-seg", store, _put(_chest(), store)), store=store, inference=inference)
