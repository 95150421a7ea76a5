"""A mask lies where the CT's voxels lie, whatever grid the model works on."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.events.models import Lane
from shared.imaging.model_parameters import BadModel
from shared.imaging.segment import segment
from shared.imaging.tests import scenes
from shared.imaging.volume import Matrix
from shared.inference.fake import FakeInference, FakeModel
from shared.inference.port import Tensor


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


DIRECTIONS = {
    "as DICOM's axes": scenes.flipped(1, 1, 1),
    "feet to head reversed": scenes.flipped(1, 1, -1),
    "left and right reversed": scenes.flipped(-1, 1, 1),
    "all reversed": scenes.flipped(-1, -1, -1),
    "turned in the plane": scenes.turned(20),
    "turned by a right angle": scenes.turned(90),
}


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS.keys())
def test_the_mask_lies_on_the_cts_grid_whatever_its_direction(direction: Matrix) -> None:
    volume = scenes.balls(scenes.centred((60, 101, 90), (0.9, 1.0, 1.5), direction))

    mask = segment(volume, "air", FakeInference({"air": scenes.model()}))

    assert mask.array.dtype == np.uint8
    assert (mask.spacing, mask.origin, mask.direction) == (
        volume.spacing,
        volume.origin,
        volume.direction,
    )
    for label in scenes.CENTRES:
        assert _dice(mask.array == label, scenes.truth(volume) == label) > 0.985


def test_thick_slices_are_restored_as_well_as_thin_ones() -> None:
    volume = scenes.balls(scenes.centred((14, 100, 100), (1.0, 1.0, 5.0)))

    mask = segment(volume, "air", FakeInference({"air": scenes.model()}))

    assert _dice(np.greater(mask.array, 0), scenes.truth(volume) > 0) > 0.97


def test_on_the_models_own_grid_the_mask_is_what_the_model_said() -> None:
    volume = scenes.balls(scenes.centred((40, 48, 48), (2.0, 2.0, 2.0)))

    mask = segment(volume, "air", FakeInference({"air": scenes.model()}))

    assert np.array_equal(np.greater(mask.array, 0), np.less(volume.array, -500))


def test_tiles_give_the_mask_that_the_whole_gives() -> None:
    volume = scenes.balls(scenes.centred((40, 96, 96), (1.0, 1.0, 2.0)))
    inference = FakeInference({"whole": scenes.one_label("air"), "tiles": _in_tiles()})

    whole = segment(volume, "whole", inference)
    tiles = segment(volume, "tiles", inference)

    assert inference.asked.count(("tiles", Lane.ROUTINE)) > 1
    assert np.array_equal(whole.array, tiles.array)


def test_logits_are_activated_and_cut_at_the_threshold() -> None:
    volume = scenes.balls(scenes.centred((40, 48, 48), (2.0, 2.0, 2.0)))
    model = replace(
        scenes.one_label("air", output="logits", threshold="0.75"), function=_air_logits
    )

    mask = segment(volume, "air", FakeInference({"air": model}))

    assert np.array_equal(np.greater(mask.array, 0), np.less(volume.array, -750))


def test_a_small_part_apart_is_dropped_and_a_hole_is_filled() -> None:
    volume = scenes.balls(scenes.centred((40, 48, 48), (2.0, 2.0, 2.0)))
    with_hole = volume.array.copy()
    ball = np.argwhere(scenes.truth(volume) == 1).mean(axis=0).round().astype(int)
    with_hole[tuple(ball)] = 0
    with_hole[1:3, 1:3, 44:46] = -1000
    postprocess = "largest-component-per-label fill-holes"

    mask = segment(
        volume.like(with_hole),
        "air",
        FakeInference({"air": scenes.model(postprocess=postprocess)}),
    )

    assert np.array_equal(np.greater(mask.array, 0), np.less(volume.array, -500))


def test_windows_on_a_grid_from_the_first_centre_give_the_mask_that_tiles_give() -> None:
    volume = scenes.balls(scenes.centred((40, 96, 96), (1.0, 1.0, 2.0)))
    said = {"grid": "centres", "sampling": "linear", "pad_multiple": "1", "spacing_mm": "1 1 2"}
    sliding = scenes.one_label("air", window="24 32 40", overlap="0.5 0.25 0.25", **said)

    mask = segment(volume, "air", FakeInference({"air": sliding}))

    assert np.array_equal(np.greater(mask.array, 0), np.less(volume.array, -500))


def test_the_largest_part_of_the_mask_itself_is_kept() -> None:
    volume = scenes.balls(scenes.centred((40, 48, 48), (2.0, 2.0, 2.0)))
    with_crumb = volume.array.copy()
    with_crumb[1:3, 1:3, 44:46] = -1000
    model = scenes.model(postprocess="largest-component-of-mask")

    mask = segment(volume.like(with_crumb), "air", FakeInference({"air": model}))

    assert np.array_equal(np.greater(mask.array, 0), np.less(volume.array, -500))


def test_nothing_found_is_an_empty_mask() -> None:
    water = scenes.centred((20, 30, 30), (1.0, 1.0, 1.0))

    mask = segment(water, "air", FakeInference({"air": scenes.model()}))

    assert not mask.array.any()


def test_the_lane_reaches_the_model() -> None:
    inference = FakeInference({"air": scenes.model()})

    segment(scenes.centred((8, 8, 8), (2.0, 2.0, 2.0)), "air", inference, Lane.STAT)

    assert inference.asked == [("air", Lane.STAT)]


def test_channels_that_are_no_labels_are_the_models_fault() -> None:
    inference = FakeInference({"air": scenes.model(labels="0 background,7 lung")})

    with pytest.raises(BadModel, match="3 channels for labels"):
        segment(scenes.centred((8, 8, 8), (2.0, 2.0, 2.0)), "air", inference)


def _air_logits(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    air = np.clip(1 - inputs["volume"].astype(np.float32), 1e-6, 1 - 1e-6)
    return {"probabilities": np.log(air / (1 - air))}


def _in_tiles() -> FakeModel:
    def small(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        shape = inputs["volume"].shape[2:]
        if max(shape) > 32 or any(size % 8 for size in shape):
            raise ValueError(f"a tile of {shape}")
        return scenes.dense(inputs)

    return replace(scenes.one_label("air", max_tile="32 32 32"), function=small)
