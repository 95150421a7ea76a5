"""Tiles: none larger than allowed, none that the network can't take, no seam."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.imaging.tiles import Array, Window, slid, tiled

SIZES = st.tuples(*[st.integers(1, 70)] * 3)


@settings(max_examples=60, deadline=None)
@given(shape=SIZES, limit=st.integers(16, 40), multiple=st.sampled_from([1, 4, 8, 16]))
def test_a_network_that_sees_voxels_singly_gives_the_same_in_tiles(
    shape: tuple[int, int, int], limit: int, multiple: int
) -> None:
    volume = np.random.default_rng(0).random(shape, np.float32)
    seen: list[tuple[int, ...]] = []

    def network(tile: Array) -> Array:
        seen.append(tile.shape)
        return np.stack([tile, 1 - tile])

    output = tiled(network, volume, 0.0, multiple, (limit, limit, limit))

    np.testing.assert_allclose(output, np.stack([volume, 1 - volume]), atol=1e-6)
    assert all(size <= limit and size % multiple == 0 for tile in seen for size in tile)


def test_what_fits_goes_at_once() -> None:
    seen = []

    def network(tile: Array) -> Array:
        seen.append(tile.shape)
        return tile[None]

    tiled(network, np.zeros((30, 31, 32), np.float32), 0.0, 16, (32, 32, 32))

    assert seen == [(32, 32, 32)]


def test_a_tile_smaller_than_the_network_can_take_is_an_error() -> None:
    with pytest.raises(ValueError, match="no multiple of 16"):
        tiled(lambda tile: tile[None], np.zeros((40, 40, 40), np.float32), 0.0, 16, (8, 8, 8))


@settings(max_examples=30, deadline=None)
@given(
    shape=SIZES,
    overlap=st.sampled_from([0.0, 0.25, 0.6]),
    blend=st.sampled_from(["gaussian", "constant"]),
)
def test_windows_are_of_one_size_and_leave_no_seam(
    shape: tuple[int, int, int], overlap: float, blend: str
) -> None:
    volume = np.random.default_rng(0).random(shape, np.float32)
    window = Window((20, 24, 28), (overlap,) * 3, blend, 0.125)  # type: ignore[arg-type]
    seen = set()

    def network(tile: Array) -> Array:
        seen.add(tile.shape)
        return np.stack([tile, 1 - tile])

    output = slid(network, volume, 0.0, window)

    np.testing.assert_allclose(output, np.stack([volume, 1 - volume]), atol=1e-5)
    assert seen == {(20, 24, 28)}


def test_the_last_window_ends_with_the_volume_and_weighs_as_much_as_the_others() -> None:
    values = iter([1.0, 2.0, 3.0])

    def network(tile: Array) -> Array:
        return np.full((1, *tile.shape), next(values), np.float32)

    window = Window((1, 1, 4), (0, 0, 0.5), "constant", 0.125)
    output = slid(network, np.zeros((1, 1, 7), np.float32), 0.0, window)

    np.testing.assert_allclose(output[0, 0, 0], [1, 1, 1.5, 2, 2.5, 2.5, 3])


def test_gaussian_windows_weigh_most_in_their_middle() -> None:
    values = iter([0.0, 1.0])

    def network(tile: Array) -> Array:
        return np.full((1, *tile.shape), next(values), np.float32)

    window = Window((1, 1, 4), (0, 0, 0.5), "gaussian", 0.25)
    output = slid(network, np.zeros((1, 1, 6), np.float32), 0.0, window)

    # Half a voxel from the middle exp(-1/8), one and a half exp(-9/8).
    share = np.exp(-9 / 8) / (np.exp(-9 / 8) + np.exp(-1 / 8))
    np.testing.assert_allclose(output[0, 0, 0], [0, 0, share, 1 - share, 1, 1], atol=1e-6)


def test_what_is_smaller_than_the_window_is_padded_on_both_sides() -> None:
    seen = []

    def network(tile: Array) -> Array:
        seen.append(tile[0, 0].tolist())
        return tile[None]

    window = Window((1, 1, 6), (0, 0, 0), "constant", 0.125)
    output = slid(network, np.ones((1, 1, 3), np.float32), 7.0, window)

    assert seen == [[7, 1, 1, 1, 7, 7]]
    assert output[0, 0, 0].tolist() == [1, 1, 1]
