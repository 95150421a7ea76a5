"""Volumes and ratios, against a count of their own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.ratio.measure import THIRDS, measure
from shared.imaging.volume import IDENTITY, Volume

NAMES = {1: "left lung", 2: "right lung"}
SPACING = (0.7, 0.8, 1.5)
VOXEL_ML = 0.7 * 0.8 * 1.5 / 1000
FEET_FIRST = IDENTITY
HEAD_FIRST = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def _mask(array: NDArray[np.uint8], direction: tuple[float, ...] = FEET_FIRST) -> Volume:
    return Volume(array, SPACING, (3.0, 4.0, 5.0), direction)


def _lungs() -> NDArray[np.uint8]:
    """Left in slices 3 to 11 with 20 voxels each, right in 0 to 5 with 12."""
    lungs = np.zeros((14, 10, 10), np.uint8)
    lungs[3:12, 2:7, 6:10] = 1
    lungs[0:6, 2:6, 1:4] = 2
    return lungs


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_ratios_equal_an_independent_count(seed: int) -> None:
    random = np.random.default_rng(seed)
    lungs = random.integers(0, 3, (9, 8, 7), np.uint8)
    lesions = random.integers(0, 2, (9, 8, 7), np.uint8)

    found = measure(_mask(lungs), _mask(lesions), NAMES)

    both = int(((lungs > 0) & (lesions > 0)).sum())
    assert found.whole.lung_ml == pytest.approx((lungs > 0).sum() * VOXEL_ML, rel=1e-6)
    assert found.whole.lesion_ml == pytest.approx(both * VOXEL_ML, rel=1e-6)
    assert found.whole.ratio_percent == pytest.approx(100 * both / (lungs > 0).sum(), rel=1e-6)
    for label, name in NAMES.items():
        of_lung = 100 * ((lungs == label) & (lesions > 0)).sum() / (lungs == label).sum()
        assert found.lungs[name].whole.ratio_percent == pytest.approx(of_lung, rel=1e-6)
    outside = ((lungs == 0) & (lesions > 0)).sum() * VOXEL_ML
    assert found.lesion_outside_ml == pytest.approx(outside, rel=1e-6)
    assert sum(found.thirds[third].lung_ml for third in THIRDS) == pytest.approx(
        found.whole.lung_ml
    )


def test_no_lesion_is_nought_and_no_error() -> None:
    found = measure(_mask(_lungs()), _mask(np.zeros_like(_lungs())), NAMES)

    assert (found.whole.lesion_ml, found.whole.ratio_percent) == (0, 0)
    assert found.lesion_outside_ml == 0


@pytest.mark.parametrize(
    ("direction", "third"), [(FEET_FIRST, "lower"), (HEAD_FIRST, "upper")], ids=["+z", "-z"]
)
def test_one_voxel_of_lesion_is_counted_where_it_lies(
    direction: tuple[float, ...], third: str
) -> None:
    lesions = np.zeros_like(_lungs())
    lesions[3, 3, 7] = 1

    found = measure(_mask(_lungs(), direction), _mask(lesions, direction), NAMES)

    assert found.whole.lesion_ml == pytest.approx(VOXEL_ML)
    left = found.lungs["left lung"]
    assert left.whole.ratio_percent == pytest.approx(100 / 180)
    assert {name: left.thirds[name].lesion_ml > 0 for name in THIRDS} == {
        name: name == third for name in THIRDS
    }
    assert found.lungs["right lung"].whole.lesion_ml == 0


def test_thirds_divide_each_lungs_own_extent() -> None:
    found = measure(_mask(_lungs()), _mask(np.zeros_like(_lungs())), NAMES)

    left = [found.lungs["left lung"].thirds[third].lung_ml for third in THIRDS]
    right = [found.lungs["right lung"].thirds[third].lung_ml for third in THIRDS]
    assert left == pytest.approx([3 * 20 * VOXEL_ML] * 3)
    assert right == pytest.approx([2 * 12 * VOXEL_ML] * 3)


def test_a_lesion_outside_the_lungs_is_reported_apart() -> None:
    lesions = np.zeros_like(_lungs())
    lesions[13, 0, :4] = 1

    found = measure(_mask(_lungs()), _mask(lesions), NAMES)

    assert found.whole.lesion_ml == 0
    assert found.lesion_outside_ml == pytest.approx(4 * VOXEL_ML)


def test_a_lung_that_is_not_there_has_no_ratio() -> None:
    only_left = np.where(_lungs() == 1, _lungs(), 0).astype(np.uint8)

    found = measure(_mask(only_left), _mask(np.zeros_like(only_left)), NAMES)

    assert found.lungs["right lung"].whole.ratio_percent is None
    assert found.lungs["right lung"].whole.lung_ml == 0


def test_masks_on_two_grids_are_a_defect() -> None:
    elsewhere = Volume(np.zeros_like(_lungs()), SPACING, (3.0, 4.0, 6.0))

    with pytest.raises(ValueError, match="not lie on one grid"):
        measure(_mask(_lungs()), elsewhere, NAMES)


def test_a_label_without_a_name_is_a_defect() -> None:
    with pytest.raises(ValueError, match=r"without a name: \[2\]"):
        measure(_mask(_lungs()), _mask(np.zeros_like(_lungs())), {1: "left lung"})
