"""An image that looks unlike all that a model was trained on is told from those that don't."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.bus.work import Produced
from shared.imaging import volume as volumes
from shared.imaging.appearance import FEATURES, measured
from shared.imaging.gate import FARTHEST, UNUSUAL, fitted, read_gate, written
from shared.imaging.mask_stage import keep, segmented
from shared.imaging.model_parameters import BadModel
from shared.imaging.tests import scenes
from shared.imaging.volume import Volume
from shared.inference.fake import FakeInference
from shared.store.memory import MemoryStore
from shared.testing.work import work_for

STEP = 4.0
SHAPE = (40, 60, 60)


def torso(seed: int = 0, **lifted: float) -> NDArray[np.float32]:
    """A trunk (z, y, x) at 4 mm: two bags of gas, a core between them, a dense rod at the back."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(STEP * (np.arange(n) - n / 2) for n in SHAPE), indexing="ij")
    wide, deep = rng.uniform(88, 104), rng.uniform(66, 80)
    hu = np.where((x / wide) ** 2 + (y / deep) ** 2 < 1, rng.uniform(0, 40), -1000)
    for side in (-1, 1):
        away = ((x - side * 0.5 * wide) / 30) ** 2 + (y / 42) ** 2 + ((z - 10) / 58) ** 2
        hu = np.where(away < 1, rng.uniform(-880, -800), hu)
    rod = np.hypot(x + rng.uniform(-4, 4), y - 0.75 * deep) < rng.uniform(11, 15)
    hu = np.where(rod & (hu > -900), 600, hu)
    noise = rng.uniform(8, 20) + lifted.get("noise", 0)
    image = hu + noise * rng.standard_normal(SHAPE) + lifted.get("hu", 0)
    return image[rng.integers(0, 6) :].astype(np.float32)


def distance(hu: NDArray[np.float32]) -> float:
    return GATE.distance(hu, (STEP, STEP, STEP))


GATE = fitted(np.array([measured(torso(seed), (STEP,) * 3) for seed in range(40)]), 0.1, limit=9)


def test_an_image_of_the_same_kind_lies_near() -> None:
    assert max(distance(torso(seed)) for seed in range(100, 110)) < GATE.limit


@pytest.mark.parametrize(
    "strange",
    [
        torso(100)[:, ::-1],
        torso(100, noise=150),
        torso(100, hu=400),
        np.full(SHAPE, -1000, np.float32),
        np.zeros(SHAPE, np.float32),
        torso(100)[:8],
    ],
    ids=["back to front", "noise", "offset", "air", "water", "a few slices"],
)
def test_an_image_of_another_kind_lies_far(strange: NDArray[np.float32]) -> None:
    assert distance(strange) > GATE.limit


def test_nothing_to_measure_is_the_farthest() -> None:
    assert distance(np.full((1, 1, 1), -1000, np.float32)) == FARTHEST


def test_a_gate_is_written_without_quotation_marks_and_read_again() -> None:
    text = written(GATE)

    assert '"' not in text
    assert written(read_gate(text)) == text
    assert read_gate(text).distance(torso(100), (STEP,) * 3) == pytest.approx(
        distance(torso(100)), rel=0.01
    )


def _volume(hu: NDArray[np.float32]) -> Volume:
    return Volume(hu.round().astype(np.int16), (STEP, STEP, STEP))


def _made(hu: NDArray[np.float32], **said: str) -> Produced:
    store = MemoryStore()
    model = scenes.model(spacing_mm="4 4 4", intensity_window="-1000 0", **said)
    put = store.put(volumes.encode(_volume(hu)), volumes.MEDIA_TYPE)
    work = work_for("lung-seg", store, {"reader.volume": put})
    return keep(work, segmented(work, store, FakeInference({"lung_seg": model})), store, ("own",))


STRANGE = torso(100, noise=150)


def test_a_stage_warns_of_an_unusual_image_besides_its_own_warnings() -> None:
    assert _made(STRANGE, gate=written(GATE)).warnings == (UNUSUAL, "own")
    assert _made(torso(100), gate=written(GATE)).warnings == ("own",)


def test_a_model_without_a_gate_warns_of_nothing() -> None:
    assert _made(STRANGE).warnings == ("own",)


@pytest.mark.parametrize(
    "text", ["", "{}", "[1,2]", "[0,9,[],[],[]]", written(GATE).replace("[1,", "[2,", 1)]
)
def test_a_gate_that_can_not_be_read_is_the_models_fault(text: str) -> None:
    with pytest.raises(BadModel, match="gate"):
        _made(torso(100), gate=text)


def test_each_feature_has_a_name() -> None:
    assert len(set(FEATURES)) == len(measured(torso(), (STEP,) * 3))
