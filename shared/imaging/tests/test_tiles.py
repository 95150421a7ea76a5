"""Tiles: none larger than allowed, none that the network can't take, no seam."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.imaging.tiles import Array, tiled

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
