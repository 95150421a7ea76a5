"""Where lung ends in the image, its mask ends; where it is dense, the network decides."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.imaging.border import put_at

LUNG, TISSUE, MIXED = -850, 50, -300
LEVEL, REACH = -400.0, 2.0
ONE_MM = (1.0, 1.0, 1.0)
Shape = tuple[int, int, int]


def block(shape: Shape, first: int, last: int) -> NDArray[np.bool_]:
    """The voxels from `first` to `last` of each axis."""
    inside = np.zeros(shape, bool)
    inside[(slice(first, last + 1),) * 3] = True
    return inside


def image(air: NDArray[np.bool_]) -> NDArray[np.int16]:
    return np.where(air, LUNG, TISSUE).astype(np.int16)


@pytest.mark.parametrize("missed", [-2, -1, 0, 1, 2])
def test_a_border_that_is_up_to_two_voxels_off_is_put_right(missed: int) -> None:
    air = block((24, 24, 24), 6, 17)
    mask = block((24, 24, 24), 6 - missed, 17 + missed).astype(np.uint8)

    found = put_at(mask, image(air), ONE_MM, LEVEL, REACH) > 0

    through_the_middle = found[:, 8:16, 8:16]
    assert np.array_equal(through_the_middle, air[:, 8:16, 8:16])


def test_half_of_a_voxel_decides() -> None:
    air = block((16, 16, 16), 4, 11)
    hu = image(air)
    hu[:, :, 12] = np.where(hu[:, :, 12] == TISSUE, MIXED, hu[:, :, 12])
    hu[:, :, 3] = np.where(air[:, :, 4], -500, hu[:, :, 3])

    found = put_at(air.astype(np.uint8), hu, ONE_MM, LEVEL, REACH) > 0

    assert found[8, 8, 3]
    assert not found[8, 8, 12]


def test_what_is_dense_at_the_pleura_stays() -> None:
    mask = block((24, 24, 24), 4, 19).astype(np.uint8)
    hu = image(block((24, 24, 24), 4, 19))
    hu[8:16, 8:16, 12:20] = TISSUE

    found = put_at(mask, hu, ONE_MM, LEVEL, REACH) > 0

    assert found[11, 11, 12:20].all()


def test_the_end_of_the_scan_is_no_border() -> None:
    mask = np.zeros((12, 24, 24), np.uint8)
    mask[:, 4:20, 4:20] = 1
    hu = image(mask > 0)
    hu[0, 12, 12] = TISSUE  # a vessel, cut across by the scan's first slice

    assert put_at(mask, hu, ONE_MM, LEVEL, REACH)[0, 12, 12]


@pytest.mark.parametrize(("step", "slices"), [(5.0, 1), (2.0, 1), (1.5, 2), (1.0, 2), (0.7, 3)])
def test_a_border_moves_by_its_reach_rounded_up_to_whole_slices(step: float, slices: int) -> None:
    air = block((24, 24, 24), 4, 19)
    mask = air.astype(np.uint8)
    mask[16:] = 0

    found = put_at(mask, image(air), (0.7, 0.7, step), LEVEL, REACH)

    assert np.flatnonzero(found[:, 12, 12]).max() == 15 + slices


def test_what_comes_to_a_label_has_that_label() -> None:
    air = block((24, 24, 24), 4, 19)
    mask = np.zeros(air.shape, np.uint8)
    mask[5:19, 5:19, 5:11], mask[5:19, 5:19, 13:19] = 1, 2

    found = put_at(mask, image(air), ONE_MM, LEVEL, REACH)

    assert (found[12, 12, 4], found[12, 12, 19]) == (1, 2)


def test_nothing_stays_nothing() -> None:
    nothing = np.zeros((4, 4, 4), np.uint8)
    assert not put_at(nothing, np.full((4, 4, 4), LUNG, np.int16), ONE_MM, LEVEL, REACH).any()
