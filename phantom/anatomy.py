"""Draw a recipe: the CT in HU and the truth that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from phantom import (
    airspace,
    bones,
    devices,
    disease,
    fluid,
    organs,
    parenchyma,
    scanner,
    thorax,
    trees,
    tumours,
)
from phantom.canvas import Canvas, Field, Warp, mix
from phantom.parenchyma import Lung
from phantom.recipe import Recipe
from phantom.thorax import LEFT, RIGHT, Build

Mask = NDArray[np.uint8]
VISIBLE = 0.005
"""From this share of the lungs on, COVID-19 counts as visible in an image."""


@dataclass(frozen=True)
class Phantom:
    """A drawn chest CT. Arrays are (z, y, x): to the head, to the back, to the patient's left."""

    recipe: Recipe
    hu: NDArray[np.int16]
    lungs: Mask
    """0 outside, 1 the patient's left lung, 2 the right; lesions belong to it, airways do not."""
    lesions: Mask
    """1 where pneumonia fills the lung, of COVID-19 or of a lobe."""
    tumours: Mask
    """1 in solid tumours and nodules, which `lesions` leaves out."""
    airways: Mask
    """1 in the lumen of trachea and main bronchi."""
    doubtful: Mask
    """1 where something else looks like pneumonia: oedema, atelectasis, scars, a tumour's haze."""

    @property
    def covid(self) -> bool:
        """Whether the image shows COVID-19: its opacities fill enough of the lungs in it."""
        lungs = int(np.count_nonzero(self.lungs))
        return self.recipe.covid and int(np.count_nonzero(self.lesions)) >= VISIBLE * max(lungs, 1)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of voxel centres (z, y, x), mm."""
        return self.recipe.spacing


@dataclass(frozen=True)
class _Chest:
    """Signed distances (z, y, x) in mm that bound the lungs, and how thick the fluid is."""

    cage: Field
    below: Field
    space: Field
    """To the pleural space: the lungs, with the fluid around them."""
    surface: Field
    """To the lungs."""
    fluid: Field
    skin: Field


def draw(recipe: Recipe) -> Phantom:
    """Draw the patient that the recipe and its seed stand for; the same voxels each time."""
    body = thorax.build(recipe)
    canvas = _canvas(recipe, body)
    chest = _chest(canvas, recipe, body)
    hu = np.full(canvas.shape, -1000, np.float32)
    if recipe.table:
        scanner.draw_table(hu, canvas, recipe, body)
    if recipe.blanket:
        scanner.draw_blanket(hu, canvas, recipe, chest.skin)
    organs.draw_wall(hu, canvas, recipe, body, chest.skin)
    lumen = _draw_inside(hu, canvas, recipe, body, chest)
    lung = _draw_lungs(hu, canvas, recipe, body, chest, lumen)
    metal = devices.draw(hu, canvas, recipe, body)
    scanner.move(hu, canvas, recipe, body, chest.below)
    scanner.reconstruct(hu, canvas, recipe, body, chest.skin, metal)
    inside = (chest.surface < 0) & (lumen < 0.5)

    def truth(share: Field) -> Mask:
        return ((share > 0.5) & inside).astype(np.uint8)

    pneumonia = truth(lung.pneumonia)
    return Phantom(
        recipe=recipe,
        hu=scanner.digitize(hu, recipe),
        lungs=np.where(inside, np.where(canvas.x > 0, LEFT, RIGHT), 0).astype(np.uint8),
        lesions=pneumonia,
        tumours=truth(lung.tumour),
        airways=(lumen >= 0.5).astype(np.uint8),
        doubtful=truth(lung.doubtful) & (1 - pneumonia),
    )


def _canvas(recipe: Recipe, body: Build) -> Canvas:
    """Place the patient: the middle of the lungs in the middle of the scan, then as asked."""
    rng = np.random.default_rng([recipe.seed, 13])
    middle = 0.5 * (body.height + 0.8 * body.recess)
    shift = (recipe.offset[1], recipe.offset[0], -middle - recipe.level)
    bend = (recipe.kyphosis / 150.0**2, 0.4 * body.height)
    warp = Warp.random(rng, np.deg2rad(recipe.roll), shift, bend)
    return Canvas.over(recipe.shape, recipe.spacing, warp)


def _chest(canvas: Canvas, recipe: Recipe, body: Build) -> _Chest:
    cage = canvas.smoothly(partial(thorax.rib_cage, body))
    below = canvas.smoothly(partial(thorax.diaphragm, body))
    between = canvas.smoothly(partial(thorax.mediastinum, body))
    skin = canvas.smoothly(partial(thorax.wall, body))
    if recipe.breasts:
        skin = organs.breasts(canvas, recipe, body, skin)
    space = np.maximum(np.maximum(cage, below), -between)
    fluid_here = canvas.smoothly(partial(fluid.thickness, recipe, body))
    pressed = np.maximum(cage + fluid_here, below + np.float32(0.5) * fluid_here)
    return _Chest(cage, below, space, np.maximum(space, pressed), fluid_here, skin)


def _draw_inside(hu: Field, canvas: Canvas, recipe: Recipe, body: Build, chest: _Chest) -> Field:
    """Everything within the ribs but the lungs; returns the airways' share of the voxels."""
    cage, below = chest.cage, chest.below
    organs.draw_mediastinum(hu, canvas, recipe, body, canvas.soft(cage))
    organs.draw_abdomen(hu, canvas, recipe, body, canvas.soft(np.maximum(cage + 2, 3 - below)))
    bones.draw(hu, canvas, recipe, body, cage)
    if any(recipe.effusion):
        fluid.draw_effusion(hu, canvas, recipe, chest.space, chest.fluid)
    return organs.draw_airways(hu, canvas, recipe, body)


def _draw_lungs(
    hu: Field, canvas: Canvas, recipe: Recipe, body: Build, chest: _Chest, lumen: Field
) -> Lung:
    """Parenchyma with all that ails it, fissures, vessels, bronchi."""
    lung = parenchyma.aerated(canvas, recipe, body, chest.cage, chest.below, chest.fluid)
    disease.draw(lung)
    fluid.draw(lung)
    airspace.draw(lung)
    tumours.draw(lung)
    parenchyma.draw_fissures(lung)
    arteries, veins = trees.grow(recipe, body)
    rng = lung.chance(16)
    blood = organs.BLOOD + recipe.contrast * rng.uniform(0.5, 1.3, 2)
    trees.draw(lung.tissue, canvas, (arteries, veins), blood)
    trees.draw_bronchi(lung.tissue, canvas, arteries, float(rng.uniform(0.6, 1.5)))
    # Once, at the end: cut piece by piece, each would leave a dark rim of air at the pleura.
    mix(hu, canvas.soft(chest.surface) * (1 - lumen), lung.tissue)
    return lung
