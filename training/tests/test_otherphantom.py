"""The second family of phantoms: the same seed is the same patient, and each is a chest."""

import numpy as np
import pytest

from training.otherphantom import draw

SHAPE, SPACING = (54, 64, 64), (6.0, 6.0, 6.0)
VOXEL_ML = 0.216


@pytest.mark.parametrize("seed", [1_000_000, 1_000_001, 1_000_002])
def test_each_is_a_chest(seed: int) -> None:
    drawn = draw(seed, SHAPE, SPACING)
    left, right = drawn.lungs == 1, drawn.lungs == 2
    assert 800 < left.sum() * VOXEL_ML < 4000
    assert 800 < right.sum() * VOXEL_ML < 4000
    assert np.argwhere(left)[:, 2].mean() > np.argwhere(right)[:, 2].mean() + 10
    healthy = (drawn.lungs > 0) & (drawn.lesions == 0)
    assert np.median(drawn.hu[healthy]) < -700
    assert not np.any((drawn.lesions > 0) & (drawn.lungs == 0))
    assert drawn.covid == bool(drawn.lesions.any())


def test_the_same_seed_gives_the_same_voxels() -> None:
    one, again, other = (draw(seed, SHAPE, SPACING).hu for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_lesions_are_denser_than_the_lung_they_lie_in() -> None:
    drawn = next(d for d in (draw(seed, SHAPE, SPACING) for seed in range(20)) if d.covid)
    inside = drawn.lungs > 0
    sick, well = drawn.hu[drawn.lesions > 0], drawn.hu[inside & (drawn.lesions == 0)]
    assert np.median(sick) > np.median(well) + 150
