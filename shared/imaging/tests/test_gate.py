"""An image that looks unlike all that a model was trained on is told from those that don't."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.bus.work import Produced
from shared.imaging import volume as volumes
from shared.imaging.appearance import FEATURES, measured
from shared.imaging.gate import (
    FARTHEST,
    NOTHING,
    UNUSUAL,
    Gate,
    Judged,
    fitted,
    read_gate,
    written,
)
from shared.imaging.mask_stage import keep, segmented
from shared.imaging.model_parameters import BadModel
from shared.imaging.tests import scenes
from shared.imaging.volume import Volume
from shared.inference.fake import FakeInference
from shared.store.memory import MemoryStore
from shared.testing.work import work_for

Image = NDArray[np.float32]
STEP = 4.0
SHAPE = (40, 60, 60)


def torso(seed: int = 0, **lifted: float) -> Image:
    """A trunk (z, y, x) at 4 mm: two bags of gas, wider below, a heart between them, to the left,
    and a dense rod at the back.
    """
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(STEP * (np.arange(n) - n / 2) for n in SHAPE), indexing="ij")
    wide, deep = rng.uniform(92, 104), rng.uniform(68, 78)
    hu = np.where((x / wide) ** 2 + (y / deep) ** 2 < 1, rng.uniform(10, 40), -1000)
    for side in (-1, 1):
        reach = 30 - z / 8
        away = ((x - side * 0.5 * wide) / reach) ** 2 + (y / 42) ** 2 + ((z - 10) / 58) ** 2
        hu = np.where(away < 1, rng.uniform(-880, -820), hu)
    heart = np.hypot(x - rng.uniform(16, 24), np.hypot(y + rng.uniform(14, 22), z + 10))
    hu = np.where(heart < rng.uniform(28, 32), 40, hu)
    rod = np.hypot(x + rng.uniform(-4, 4), y - 0.75 * deep) < rng.uniform(11, 15)
    hu = np.where(rod & (hu > -900), 600, hu)
    noise = rng.uniform(8, 20) + lifted.get("noise", 0)
    image = hu + noise * rng.standard_normal(SHAPE) + lifted.get("hu", 0)
    return image[rng.integers(0, 6) :].astype(np.float32)


def judge(hu: Image) -> Judged:
    return GATE.judge(hu, (STEP, STEP, STEP))


def _gate() -> Gate:
    rows = np.array([measured(torso(seed), (STEP,) * 3) for seed in range(40)])
    free = fitted(rows, shrinkage=0.3, widening=0.3)
    return free.model_copy(update={"limit": 12.0, "margin": 0.5})


GATE = _gate()


def test_an_image_of_the_same_kind_is_not_unusual() -> None:
    assert [judge(torso(seed)).reasons for seed in range(100, 110)] == [()] * 10


@pytest.mark.parametrize(
    ("strange", "reason"),
    [
        (torso(100)[:, ::-1], "front to back"),
        (torso(100)[::-1], "feet to head"),
        (torso(100)[:, :, ::-1], "left to right"),
        (np.rot90(torso(100), 1, axes=(1, 2)), "on its right side"),
        (torso(100, noise=150), "noise, HU"),
        (torso(100, noise=500), "noise, HU"),
        (torso(100, hu=400), "tissue, HU"),
        (2 * torso(100), "lowest gas, HU"),
        (torso(100)[::2, ::2, ::2], "size, mm"),
        (np.full(SHAPE, -1000, np.float32), NOTHING),
        (np.zeros(SHAPE, np.float32), NOTHING),
        (torso(100)[:2], NOTHING),
    ],
    ids=[
        "back to front", "head to feet", "mirrored", "turned by a quarter", "noise", "noise alone",
        "offset", "twice", "half the size", "air", "water", "two slices",
    ],
)  # fmt: skip
def test_an_image_of_another_kind_is_unusual_for_a_reason(strange: Image, reason: str) -> None:
    assert reason in judge(strange).reasons


def test_nothing_to_measure_is_the_farthest() -> None:
    assert judge(np.full((1, 1, 1), -1000, np.float32)).distance == FARTHEST


def test_all_together_may_be_too_far_off_though_no_feature_is() -> None:
    near = GATE.model_copy(update={"limit": 0.1})

    assert near.judge(torso(100), (STEP,) * 3).reasons == ("all together",)


def test_images_that_are_all_the_same_say_nothing() -> None:
    with pytest.raises(ValueError, match="say nothing"):
        fitted(np.zeros((5, len(FEATURES))), 0.3, 0.3)


def test_a_gate_is_written_without_quotation_marks_and_read_again() -> None:
    text = written(GATE)

    assert '"' not in text
    assert written(read_gate(text)) == text
    again = read_gate(text).judge(torso(100), (STEP,) * 3)
    assert again.distance == pytest.approx(judge(torso(100)).distance, rel=0.01)


def _volume(hu: Image) -> Volume:
    return Volume(hu.round().astype(np.int16), (STEP, STEP, STEP))


def _made(hu: Image, **said: str) -> Produced:
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
    "text", ["", "{}", "[2,9]", "[2,9,1,[],[],[],[],[]]", written(GATE).replace("[2,", "[1,", 1)]
)
def test_a_gate_that_can_not_be_read_is_the_models_fault(text: str) -> None:
    with pytest.raises(BadModel, match="gate"):
        _made(torso(100), gate=text)


def test_each_feature_has_a_name() -> None:
    assert len(set(FEATURES)) == len(measured(torso(), (STEP,) * 3))
