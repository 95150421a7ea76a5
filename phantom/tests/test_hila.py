"""The roots of the lungs lie between the lungs, and lead from the carina into every lobe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from phantom import Recipe, draw, thorax, trees
from phantom.hila import Root

RECIPE = Recipe(kind="healthy", lesions=0, contrast=250.0)


def sides(seed: int) -> list[tuple[float, Root]]:
    left, right = thorax.build(replace(RECIPE, seed=seed)).roots
    return [(1.0, left), (-1.0, right)]


@pytest.mark.parametrize("seed", range(5))
def test_each_side_begins_at_the_carina_and_keeps_to_itself(seed: int) -> None:
    for side, root in sides(seed):
        bronchi = [stem for stem in root.stems if stem.kind == "bronchus"]
        carina = thorax.build(replace(RECIPE, seed=seed)).trachea[-1]
        np.testing.assert_array_equal(bronchi[0].path[0], carina)
        for stem in bronchi:
            assert np.all(side * (stem.path[1:, 0] - carina[0]) > 5)
        for door in root.doors:
            for entry in (door.bronchus, door.artery, door.vein):
                assert side * entry[0] > 10


@pytest.mark.parametrize("seed", range(5))
def test_the_left_main_bronchus_is_the_longer_and_the_right_the_wider(seed: int) -> None:
    (_, left), (_, right) = sides(seed)
    length = [
        np.linalg.norm(np.diff(root.stems[0].path, axis=0), axis=1).sum() for root in (left, right)
    ]
    assert length[0] > 1.4 * length[1]
    assert left.stems[0].radius < right.stems[0].radius


def test_stems_are_no_lung() -> None:
    body = thorax.build(replace(RECIPE, seed=2))
    for root in body.roots:
        for stem in root.stems:
            assert np.all(thorax.lungs(body, *stem.path.astype(np.float32).T) > 0)


@pytest.mark.parametrize("seed", range(3))
def test_every_lobe_has_arteries_and_veins(seed: int) -> None:
    recipe = replace(RECIPE, seed=seed)
    body = thorax.build(recipe)
    for tree in trees.grow(recipe, body):
        roots = tree.where(tree.order == 0)
        assert len(roots.starts) == sum(len(root.doors) for root in body.roots)


def test_bronchi_are_air_between_the_lungs() -> None:
    drawn = draw(replace(RECIPE, seed=5, shape=(60, 128, 128), spacing=(5.0, 3.0, 3.0)))
    airways = drawn.airways > 0
    assert not np.any(airways & (drawn.lungs > 0))
    assert np.median(drawn.hu[airways]) < -900
    widths = [np.ptp(np.flatnonzero(plane.any(axis=0))) for plane in airways if plane.any()]
    assert max(widths) * 3.0 > 45  # mm, from one main bronchus to the other
