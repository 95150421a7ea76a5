"""Lesions put into a lung: denser, inside it, with a known mask, and alike each time."""

import numpy as np

from shared.imaging.volume import Volume
from training.implant import implant, lungs_by_threshold


def chest() -> Volume:
    """A block of tissue with two lungs of air, in a room with a hollow table."""
    rng = np.random.default_rng(1)
    hu = np.full((40, 64, 64), -1000, np.int16)
    hu[:, 8:50, 6:58] = 40
    for left in (10, 36):
        hu[5:35, 14:44, left : left + 18] = -850 + rng.normal(0, 20, (30, 30, 18))
    hu[:, 56:57] = hu[:, 61:62] = 100
    hu[:, 56:62, :1] = hu[:, 56:62, -1:] = 100
    return Volume(hu, (4.0, 4.0, 4.0))


def test_lungs_are_told_from_the_room_and_the_table() -> None:
    lungs = lungs_by_threshold(chest())
    true = np.zeros(lungs.shape, bool)
    for left in (10, 36):
        true[5:35, 14:44, left : left + 18] = True
    assert np.count_nonzero(lungs & true) > 0.97 * np.count_nonzero(true)
    assert np.count_nonzero(lungs & ~true) < 0.03 * np.count_nonzero(true)


def test_implants_add_tissue_inside_the_lungs_alone() -> None:
    ct = chest()
    lungs = lungs_by_threshold(ct)
    changed, truth = implant(ct, lungs, seed=0)
    sick = truth > 0
    assert sick.any()
    assert not np.any(sick & ~lungs)
    assert np.array_equal(changed.array[~sick], ct.array[~sick])
    assert changed.array[sick].mean() > ct.array[sick].mean() + 200
    again, _ = implant(ct, lungs, seed=0)
    other, _ = implant(ct, lungs, seed=1)
    assert np.array_equal(changed.array, again.array)
    assert not np.array_equal(changed.array, other.array)
