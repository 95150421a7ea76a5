"""Draw a recipe: the CT in HU and the truth that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantom import bones, lesions, organs, scanner, thorax, trees
from phantom.canvas import Canvas, Field, Warp, mix, smooth_noise
from phantom.recipe import Recipe
from phantom.thorax import LEFT, RIGHT, Build

Mask = NDArray[np.uint8]


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

    @property
    def covid(self) -> bool:
        return self.recipe.covid

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of voxel centres (z, y, x), mm."""
        return self.recipe.spacing


def draw(recipe: Recipe) -> Phantom:
    """Draw the patient that the recipe and its seed stand for; the same voxels each time."""
    body = thorax.build(recipe)
    canvas = _canvas(recipe, body)
    grid = canvas.x, canvas.y, canvas.z
    skin = thorax.wall(body, *grid)
    if recipe.breasts:
        skin = organs.breasts(canvas, recipe, body, skin)
    hu = np.full(canvas.shape, -1000, np.float32)
    if recipe.table:
        scanner.draw_table(hu, canvas, recipe, body)
    if recipe.blanket:
        scanner.draw_blanket(hu, canvas, recipe, skin)
    organs.draw_wall(hu, canvas, recipe, body, skin)
    surface, lumen = _draw_inside(hu, canvas, recipe, body)
    shares = _draw_lungs(hu, canvas, recipe, body, canvas.soft(surface) * (1 - lumen))
    scanner.reconstruct(hu, canvas, recipe, body, skin)
    inside = (surface < 0) & (lumen < 0.5)
    return Phantom(
        recipe=recipe,
        hu=scanner.digitize(hu, recipe),
        lungs=np.where(inside, np.where(canvas.x > 0, LEFT, RIGHT), 0).astype(np.uint8),
        lesions=((shares.pneumonia > 0.5) & inside).astype(np.uint8),
        tumours=((shares.tumour > 0.5) & inside).astype(np.uint8),
        airways=(lumen >= 0.5).astype(np.uint8),
    )


def _canvas(recipe: Recipe, body: Build) -> Canvas:
    """Place the patient: the middle of the lungs in the middle of the scan, then as asked."""
    rng = np.random.default_rng([recipe.seed, 13])
    middle = 0.5 * (body.height + 0.8 * body.recess)
    shift = (recipe.offset[1], recipe.offset[0], -middle - recipe.level)
    warp = Warp.random(rng, np.deg2rad(recipe.roll), shift)
    return Canvas.over(recipe.shape, recipe.spacing, warp)


def _draw_inside(hu: Field, canvas: Canvas, recipe: Recipe, body: Build) -> tuple[Field, Field]:
    """Everything within the ribs but the lungs; returns their surface and the airways' share."""
    grid = canvas.x, canvas.y, canvas.z
    cage = thorax.rib_cage(body, *grid)
    below = thorax.diaphragm(body, *grid)
    surface = np.maximum(cage, below)
    # The mediastinum costs the most; the columns far to the side can have none of it.
    near = np.flatnonzero((np.abs(canvas.x) < body.middle_reach).any(axis=(0, 1)))
    if near.size:
        columns = np.s_[:, :, near[0] : near[-1] + 1]
        between = thorax.mediastinum(body, *(axis[columns] for axis in grid))
        np.maximum(surface[columns], -between, out=surface[columns])
    organs.draw_mediastinum(hu, canvas, recipe, body, canvas.soft(cage))
    organs.draw_abdomen(hu, canvas, recipe, body, canvas.soft(np.maximum(cage + 2, 3 - below)))
    bones.draw(hu, canvas, recipe, body, cage)
    return surface, organs.draw_airways(hu, canvas, recipe, body)


def _draw_lungs(
    hu: Field, canvas: Canvas, recipe: Recipe, body: Build, inside: Field
) -> lesions.Shares:
    """Parenchyma, lesions, fissures, vessels; `inside` is the lungs' share of each voxel."""
    rng = np.random.default_rng([recipe.seed, 14])
    texture = smooth_noise(rng, canvas.shape, canvas.spacing, 11.0)
    slope = float(rng.uniform(10, 60)) / body.depth
    tissue = np.float32(recipe.lung_hu) + np.float32(slope) * canvas.y + 12 * texture
    if recipe.emphysema:
        holes = np.clip(2 * (texture - np.float32(2.2 - 3.5 * recipe.emphysema)), 0, 1)
        tissue += holes * (-975 - tissue)
    shares = lesions.draw(tissue, canvas, recipe, body)
    sheet = np.abs(lesions.fissure(body, canvas.y, canvas.z) + 2 * texture)
    mix(tissue, canvas.soft(sheet - 0.2) * (0.8 / canvas.edge), -150.0)
    blood = organs.BLOOD + recipe.contrast
    trees.draw(tissue, canvas, trees.grow(recipe, body), blood)
    # Once, at the end: cut piece by piece, each would leave a dark rim of air at the pleura.
    mix(hu, inside, tissue)
    return shares
