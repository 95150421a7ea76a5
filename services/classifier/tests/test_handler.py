"""A volume and its lungs become probabilities, as JSON and as CSV."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from services.classifier.handler import handle
from services.classifier.tests.example import SAID
from shared import provenance
from shared.bus.work import Produced, Work
from shared.findings import read_classification
from shared.imaging import saliency
from shared.imaging import volume as volumes
from shared.imaging.model_parameters import BadModel
from shared.imaging.resample import grid_of
from shared.imaging.tests import scenes
from shared.imaging.volume import Volume
from shared.inference.fake import FakeInference, FakeModel
from shared.inference.port import Tensor
from shared.store.memory import MemoryStore
from shared.testing.work import work_for


def _fullness(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The share of water in the crop, as the probability of the second class."""
    share = inputs["volume"].astype(np.float32).mean()
    return {"probabilities": np.array([[1 - share, share]])}


def _logits(_: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return {"probabilities": np.array([[0.0, np.log(3)]], np.float32)}


def _one(_: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return {"probabilities": np.array([[0.25]], np.float32)}


def _work(store: MemoryStore) -> Work:
    grid = scenes.centred((20, 40, 40), (2.0, 2.0, 2.0))
    volume, lungs = scenes.balls(grid), grid.like(scenes.truth(grid))
    payloads = {
        "reader.volume": store.put(volumes.encode(volume), volumes.MEDIA_TYPE),
        "lung-seg.mask": store.put(volumes.encode(lungs), volumes.MEDIA_TYPE),
    }
    return work_for("classifier", store, payloads)


def _classified(store: MemoryStore, model: FakeModel) -> Produced:
    return handle(_work(store), store=store, inference=FakeInference({"covid_classifier": model}))


def test_the_probabilities_come_as_json_and_as_csv() -> None:
    store = MemoryStore()

    produced = _classified(store, FakeModel(_fullness, SAID))

    found = read_classification(produced.payloads["classification"], store)
    assert list(found.probabilities) == ["non-COVID-19", "COVID-19"]
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=2e-6)
    assert (found.threshold, found.training_data, found.model.algorithm) == (
        0.5,
        "none",
        "Fullness",
    )
    covid, other = (found.probabilities[name] for name in ("COVID-19", "non-COVID-19"))
    assert store.get(produced.payloads["csv"]).decode() == (
        f"class,probability\nnon-COVID-19,{other:.6f}\nCOVID-19,{covid:.6f}\n"
    )
    assert provenance.read(produced.payloads["provenance"], store).model == found.model


@pytest.mark.parametrize(
    ("function", "changes", "covid"),
    [
        (_logits, {"output": "logits"}, 0.75),
        (_one, {"activation": "sigmoid"}, 0.25),
    ],
    ids=["logits", "one channel"],
)
def test_other_kinds_of_output_are_understood(
    function: object, changes: dict[str, str], covid: float
) -> None:
    store = MemoryStore()

    produced = _classified(store, FakeModel(function, SAID | changes))  # type: ignore[arg-type]

    found = read_classification(produced.payloads["classification"], store)
    assert found.probabilities == {"non-COVID-19": 1 - covid, "COVID-19": covid}


def test_another_number_of_classes_is_the_models_fault() -> None:
    three = SAID | {"labels": "0 healthy,1 COVID-19,2 other"}

    with pytest.raises(BadModel, match="2 channels for the classes"):
        _classified(MemoryStore(), FakeModel(_fullness, three))


def _pointing(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Says besides where in the crop there is water, at a quarter of its resolution."""
    volume = inputs["volume"][0, 0].astype(np.float32)
    z, y, x = (size // 4 for size in volume.shape)
    coarse = volume.reshape(z, 4, y, 4, x, 4).mean(axis=(1, 3, 5))
    return {**_fullness(inputs), "saliency": coarse[None, None]}


def _map(store: MemoryStore, model: FakeModel) -> Volume:
    produced = _classified(store, model)
    return volumes.read(store.path(produced.payloads["saliency"]))


def test_what_moved_the_model_lies_on_the_ct_as_coarse_as_the_model_told_it() -> None:
    store = MemoryStore()
    work = _work(store)
    volume = volumes.read(store.path(work.input("volume")))

    told = _map(store, FakeModel(_pointing, SAID | {"saliency_output": "saliency"}))

    assert told.array.shape == (3, 4, 5)
    assert told.array.dtype == np.float32
    # The model is moved by water, so the map on the CT is what is not air there.
    shown = saliency.on_grid(told, grid_of(volume))
    centre = scenes.CENTRES[1]
    index = np.array(grid_of(volume).size) / 2 + np.array(centre) / np.array(volume.spacing)
    x, y, z = index.astype(int)
    assert shown[z, y, x] < 0.5 < shown[z, y, 20]


def test_a_model_that_can_not_tell_has_a_map_of_nothing() -> None:
    told = _map(MemoryStore(), FakeModel(_fullness, SAID))

    assert not saliency.told(told)
    assert told.array.tolist() == [[[0.0]]]


def test_probability_and_map_come_of_one_inference() -> None:
    store = MemoryStore()
    model = FakeModel(_pointing, SAID | {"saliency_output": "saliency"})
    inference = FakeInference({"covid_classifier": model})

    handle(_work(store), store=store, inference=inference)

    assert len(inference.asked) == 1


@pytest.mark.parametrize(
    "output",
    [np.zeros((1, 3, 4, 5)), np.full((1, 1, 3, 4, 5), -0.1), np.full((1, 1, 3, 4, 5), np.nan)],
    ids=["no channel", "below 0", "not a number"],
)
def test_a_map_that_is_none_is_the_models_fault(output: NDArray[np.float64]) -> None:
    def function(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return {**_fullness(inputs), "saliency": output}

    with pytest.raises(BadModel, match="saliency"):
        _classified(MemoryStore(), FakeModel(function, SAID | {"saliency_output": "saliency"}))


def test_a_segmentation_model_is_no_classifier() -> None:
    with pytest.raises(BadModel, match="crop: Field required; size: Field required"):
        _classified(MemoryStore(), scenes.model())


def test_the_same_work_gives_the_same_bytes() -> None:
    store = MemoryStore()

    once, again = (_classified(store, FakeModel(_fullness, SAID)) for _ in range(2))

    assert once == again
