"""Grids: the same place before and after, whatever the axes."""

from dataclasses import replace

import numpy as np
import pytest

from shared.imaging.resample import (
    apart_mm,
    at_size,
    at_spacing,
    at_spacing_from_centre,
    averaged,
    bounding_box,
    grid_of,
    oriented,
    oriented_as,
    resampled,
    same_grid,
    sampled,
)
from shared.imaging.tests import scenes
from shared.imaging.volume import IDENTITY, Volume


def test_noise_is_averaged_where_the_grid_is_coarser() -> None:
    volume = scenes.centred((24, 60, 60), (1.0, 1.0, 2.0))
    noise = np.random.default_rng(0).normal(0, 100, volume.array.shape).astype(np.int16)
    grid = at_spacing(grid_of(volume), (4.0, 4.0, 4.0))

    coarse = sampled(averaged(volume.like(noise), grid), grid)

    assert coarse.std() < 100 / np.sqrt(4 * 4 * 2) * 1.2


def test_a_slope_stays_where_it_is() -> None:
    volume = scenes.centred((24, 61, 62), (1.0, 1.1, 2.0))
    slope = np.broadcast_to(np.arange(62) * 10, volume.array.shape).astype(np.int16)
    grid = at_spacing(grid_of(volume), (4.0, 4.0, 4.0))

    coarse = sampled(averaged(volume.like(slope), grid), grid)

    x = (grid.origin[0] + 4.0 * np.arange(grid.size[0]) - volume.origin[0]) / volume.spacing[0]
    inner = slice(1, -2)
    np.testing.assert_allclose(coarse[5, 5, inner], 10 * x[inner], atol=0.1)


def test_a_volume_of_many_slabs_is_averaged_as_one() -> None:
    rows = np.arange(300, dtype=np.int16)[:, None, None]
    volume = Volume(np.broadcast_to(rows, (300, 200, 200)), (1.0, 1.0, 1.0))
    grid = at_spacing(grid_of(volume), (4.0, 4.0, 4.0))

    coarse = sampled(averaged(volume, grid), grid)

    # The mean of four whole numbers, rounded as HU are.
    assert np.abs(coarse[:, 20, 20] - (np.arange(75) * 4 + 1.5)).max() <= 0.5


def test_as_many_voxels_over_the_same_extent() -> None:
    grid = grid_of(scenes.centred((30, 50, 70), (1.0, 1.0, 2.0)))

    made = at_size(grid, (7, 10, 6))

    assert made.spacing == (10.0, 5.0, 10.0)
    assert made.origin == tuple(
        first + (after - before) / 2
        for first, before, after in zip(grid.origin, grid.spacing, made.spacing, strict=True)
    )


def test_axes_that_are_oriented_keep_every_voxel_in_its_place() -> None:
    direction = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
    stored = scenes.balls(scenes.centred((40, 50, 60), (1.0, 1.2, 1.4), direction))

    made = oriented(stored, "LPS")

    assert made.direction == IDENTITY
    assert made.array.shape == (40, 60, 50)
    assert np.array_equal(made.array, scenes.balls(made).array)


def test_voxels_are_brought_into_the_order_of_another_volume() -> None:
    tilted = (0.0, -1.0, 0.0, np.cos(0.2), 0.0, -np.sin(0.2), np.sin(0.2), 0.0, np.cos(0.2))
    one = scenes.balls(scenes.centred((40, 50, 60), (1.0, 1.2, 1.4), tilted))
    other = oriented(one, "RSA")
    assert not same_grid(one, other)

    again = oriented_as(other, one)

    assert same_grid(again, one)
    assert np.array_equal(again.array, one.array)


@pytest.mark.parametrize("degrees", [45, 135, -45])
def test_at_45_degrees_each_axis_is_one_of_the_three_and_voxels_stay(degrees: float) -> None:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned = (c, -s, 0.0, s, c, 0.0, 0.0, 0.0, -1.0)
    stored = scenes.balls(scenes.centred((40, 50, 60), (1.0, 1.2, 1.4), turned))

    made = oriented(stored, "LPS")

    assert np.array_equal(made.array, scenes.balls(made).array)
    assert np.diag(grid_of(made).axes) == pytest.approx((np.sqrt(0.5), np.sqrt(0.5), 1))


def test_grids_are_the_same_within_a_hundredth_of_a_millimetre() -> None:
    one = scenes.centred((40, 50, 60), (1.0, 1.2, 1.4))
    x, y, z = one.origin

    assert same_grid(one, replace(one, origin=(x + 0.001, y, z)))
    assert not same_grid(one, replace(one, origin=(x + 0.1, y, z)))
    assert not same_grid(one, replace(one, spacing=(1.0, 1.2, 1.41)))
    assert not same_grid(one, replace(one, array=one.array[1:]))


def test_grids_are_as_far_apart_as_their_farthest_voxels() -> None:
    one = scenes.centred((40, 50, 60), (1.0, 1.2, 1.4))
    x, y, z = one.origin

    assert apart_mm(one, replace(one, origin=(x + 0.3, y - 0.4, z))) == pytest.approx(0.5)
    assert apart_mm(one, replace(one, spacing=(1.0, 1.2, 1.41))) == pytest.approx(0.4)


def test_a_single_slice_of_another_thickness_lies_on_another_grid() -> None:
    one = scenes.centred((1, 50, 60), (1.0, 1.2, 1.4))

    assert not same_grid(one, replace(one, spacing=(1.0, 1.2, 1.5)))


def test_a_box_with_its_margin_stays_inside() -> None:
    mask = np.zeros((9, 9, 9), bool)
    mask[0, 3:5, 8] = True

    assert bounding_box(mask, (1, 2, 3)) == (slice(0, 2), slice(1, 7), slice(5, 9))
    assert bounding_box(np.zeros((2, 2, 2), bool)) is None


def test_a_grid_from_the_first_centre_ends_at_the_last_one_to_half_a_voxel() -> None:
    grid = grid_of(scenes.centred((30, 50, 71), (1.0, 1.0, 2.0)))

    made = at_spacing_from_centre(grid, (4.0, 4.0, 4.0))

    # 70, 49 and 58 mm from centre to centre: 18.5, 13.25 and 15.5 voxels, half to even
    assert (made.size, made.origin) == ((18, 13, 16), grid.origin)


@pytest.mark.parametrize(("slices", "made"), [(300, 150), (120, 60), (121, 61), (46, 24)])
@pytest.mark.parametrize("noise", [-1e-10, 0, 1e-10])
def test_a_grid_that_would_end_halfway_has_an_even_count_as_in_monai(
    slices: int, made: int, noise: float
) -> None:
    volume = Volume(np.zeros((slices, 4, 4), np.int16), (1.0, 1.0, 2.5 + noise))

    assert at_spacing_from_centre(grid_of(volume), (1.0, 1.0, 5.0)).size == (4, 4, made)


@pytest.mark.parametrize("past", [0.3, 0.5, 2.0])
def test_past_the_border_a_slope_along_another_axis_goes_on_linearly(past: float) -> None:
    slope = np.broadcast_to(np.arange(8, dtype=np.int16) * 10, (4, 4, 8))
    volume = Volume(slope, (1.0, 1.0, 1.0))
    beyond = replace(grid_of(volume), origin=(0.25, 0.0, 3.0 + past), size=(4, 4, 1))

    assert resampled(volume, beyond, "linear")[0, 0].tolist() == [2.5, 12.5, 22.5, 32.5]


def test_by_area_each_voxel_is_the_mean_of_all_that_it_touches() -> None:
    row = np.array([0, 10, 20, 30, 40], np.int16)
    volume = Volume(np.broadcast_to(row, (2, 2, 5)), (1.0, 1.0, 1.0))

    made = resampled(volume, at_size(grid_of(volume), (2, 1, 1)), "area")

    assert made.tolist() == [[[10.0, 30.0]]]
