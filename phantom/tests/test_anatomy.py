"""Phantoms are the same each time, look like a chest, and carry a truth that fits the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from phantom import Phantom, Recipe, draw
from phantom.chance import KINDS, Kind

SMALL = Recipe(seed=3, shape=(54, 64, 64), spacing=(6.0, 6.0, 6.0), scale=0.92)


@pytest.fixture(scope="module")
def covid() -> Phantom:
    return draw(SMALL)


def millilitres(mask: np.ndarray, phantom: Phantom) -> float:
    return float(np.count_nonzero(mask) * np.prod(phantom.spacing) / 1000)


def test_the_same_recipe_gives_the_same_voxels(covid: Phantom) -> None:
    again = draw(SMALL)
    for name in ("hu", "lungs", "lesions", "tumours", "airways", "doubtful"):
        np.testing.assert_array_equal(getattr(again, name), getattr(covid, name))


def test_another_seed_gives_another_patient(covid: Phantom) -> None:
    other = draw(replace(SMALL, seed=4))
    assert np.mean(other.lungs != covid.lungs) > 0.01


def test_finer_voxels_show_the_same_lungs(covid: Phantom) -> None:
    fine = draw(replace(SMALL, shape=(65, 77, 77), spacing=(5.0, 5.0, 5.0)))
    for side in (1, 2):
        assert millilitres(fine.lungs == side, fine) == pytest.approx(
            millilitres(covid.lungs == side, covid), rel=0.04
        )


@pytest.mark.parametrize("seed", range(3))
def test_volumes_of_the_lungs_are_an_adults(seed: int) -> None:
    phantom = draw(replace(SMALL, seed=seed, lesions=0))
    for side in (1, 2):
        assert 900 < millilitres(phantom.lungs == side, phantom) < 4500


def test_the_left_lung_lies_at_larger_x(covid: Phantom) -> None:
    left, right = (np.argwhere(covid.lungs == side)[:, 2].mean() for side in (1, 2))
    assert left > right + 10


def test_below_the_lungs_the_liver_lies_right_and_gas_left() -> None:
    with_gas = {"left": 0, "right": 0}
    for seed in range(6):
        drawn = draw(replace(SMALL, seed=seed))
        lowest = np.argwhere(drawn.lungs)[:, 0].min()
        right, left = (drawn.hu[: lowest + 3, 24:40, x : x + 12] for x in (12, 40))
        assert np.median(right) > 0
        with_gas["left"] += bool((left < -950).any())
        with_gas["right"] += bool((right < -950).any())
    assert with_gas["left"] == 6
    assert with_gas["right"] < 3


def test_lungs_are_air_and_the_wall_is_tissue(covid: Phantom) -> None:
    healthy = (covid.lungs > 0) & (covid.lesions == 0)
    assert -900 < np.median(covid.hu[healthy]) < -700
    body = covid.hu[(covid.hu > -200) & (covid.hu < 200)]
    assert ((body > -130) & (body < -70)).mean() > 0.1
    assert ((body > 20) & (body < 80)).mean() > 0.2
    assert (covid.hu > 200).sum() > 300


def test_lesions_lie_in_the_lungs_and_are_denser(covid: Phantom) -> None:
    lesions, lungs = covid.lesions > 0, covid.lungs > 0
    assert covid.covid
    assert millilitres(lesions, covid) > 10
    assert not (lesions & ~lungs).any()
    assert np.median(covid.hu[lesions]) > np.median(covid.hu[lungs & ~lesions]) + 100


def test_no_lesions_is_a_healthy_chest(covid: Phantom) -> None:
    healthy = draw(SMALL.healthy())
    assert not healthy.covid
    assert not healthy.lesions.any()
    assert not healthy.tumours.any()
    np.testing.assert_array_equal(healthy.lungs, covid.lungs)


@pytest.mark.parametrize(("kind", "truth"), [("lobar", "lesions"), ("tumour", "tumours")])
def test_look_alikes_are_drawn_but_are_not_covid(kind: Kind, truth: str) -> None:
    phantom = draw(replace(SMALL, kind=kind, lesions=2))
    assert not phantom.covid
    assert getattr(phantom, truth).any()


def test_airways_are_not_lung(covid: Phantom) -> None:
    assert covid.airways.any()
    assert not (covid.airways.astype(bool) & (covid.lungs > 0)).any()
    assert np.median(covid.hu[covid.airways > 0]) < -750


def test_padding_lies_outside_the_circle_only() -> None:
    phantom = draw(replace(SMALL, shape=(4, 64, 64), padding=-2000))
    assert phantom.hu[:, 0, 0].tolist() == [-2000] * 4
    assert (phantom.hu[:, 32, 32] >= -1024).all()


def test_random_recipes_show_every_kind() -> None:
    recipes = [Recipe.random(seed) for seed in range(60)]
    assert {recipe.kind for recipe in recipes} == set(KINDS)
    assert 17 < sum(recipe.covid for recipe in recipes) < 37
    assert recipes[7] == Recipe.random(7)


@pytest.mark.parametrize("kind", KINDS)
def test_truth_is_consistent_whatever_the_disease(kind: Kind) -> None:
    seed = next(seed for seed in range(100) if Recipe.random(seed).kind == kind)
    phantom = draw(Recipe.random(seed, spacing=(6, 6, 6), shape=(54, 64, 64)))
    lungs = phantom.lungs > 0
    for mask in (phantom.lesions, phantom.tumours, phantom.doubtful):
        assert not (mask.astype(bool) & ~lungs).any()
    assert not (phantom.lesions & phantom.doubtful).any()
    assert phantom.lesions.any() == (kind in ("covid", "lobar"))
    assert phantom.hu.min() >= min(-1024, phantom.recipe.padding or 0)


@pytest.mark.parametrize(("share", "shown"), [(0.0, False), (0.004, False), (0.006, True)])
def test_covid_counts_from_half_a_percent_of_the_lungs(
    covid: Phantom, share: float, shown: bool
) -> None:
    lesions = np.zeros_like(covid.lesions)
    inside = np.argwhere(covid.lungs)
    lesions[tuple(inside[: int(share * len(inside))].T)] = 1
    assert replace(covid, lesions=lesions).covid is shown
    lobar = replace(covid, lesions=lesions, recipe=replace(SMALL, kind="lobar"))
    assert not lobar.covid


@pytest.mark.parametrize(
    "change",
    [{"oedema": 300.0}, {"collapse": 30.0}, {"dependent": 400.0}, {"fibrosis": 15.0}],
)
def test_look_alikes_are_doubtful_and_denser(change: dict[str, float]) -> None:
    well = draw(SMALL.healthy())
    ill = draw(replace(SMALL.healthy(), **change))  # type: ignore[arg-type]
    doubtful = ill.doubtful > 0
    assert not well.doubtful.any()
    assert not ill.lesions.any()
    assert millilitres(doubtful, ill) > 10
    assert ill.hu[doubtful].mean() > well.hu[doubtful].mean() + 60


def test_pleural_fluid_is_water_and_no_lung() -> None:
    well = draw(SMALL.healthy())
    ill = draw(replace(SMALL.healthy(), effusion=(0.0, 45.0)))
    lost = (well.lungs > 0) & (ill.lungs == 0)
    assert millilitres(lost, ill) > 150
    assert -30 < np.median(ill.hu[lost]) < 60
    assert set(np.unique(well.lungs[lost])) == {2}
    assert np.argwhere(lost)[:, 1].mean() > np.argwhere(well.lungs)[:, 1].mean()


def test_thick_slices_blur_the_diaphragm() -> None:
    thin, thick = (draw(replace(SMALL, slice_thickness=mm, noise=0.0)) for mm in (0.0, 12.0))
    assert np.abs(np.diff(thick.hu.astype(int), axis=0)).max() < (
        np.abs(np.diff(thin.hu.astype(int), axis=0)).max()
    )
    np.testing.assert_array_equal(thick.lungs, thin.lungs)


@pytest.mark.parametrize("metal", ["pacemaker", "port", "wires"])
def test_metal_is_brighter_than_bone_and_spares_the_truth(metal: str) -> None:
    bare = draw(SMALL)
    worn = draw(replace(SMALL, metal=metal))  # type: ignore[arg-type]
    assert (worn.hu.astype(int) - bare.hu).max() > 150
    np.testing.assert_array_equal(worn.lesions, bare.lesions)
    np.testing.assert_array_equal(worn.lungs, bare.lungs)
