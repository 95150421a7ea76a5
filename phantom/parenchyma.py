"""The lungs' inside before any disease: uneven aeration, fissures, and where diseases are mixed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phantom import thorax
from phantom.canvas import Box, Canvas, Field, Points, mix, smooth_noise
from phantom.recipe import Recipe
from phantom.thorax import Build


@dataclass(frozen=True)
class Lung:
    """Both lungs while they are drawn; all fields are (z, y, x), and drawn into in place.

    They reach beyond the lungs' surface, which cuts the tissue once, at the end: cut piece by
    piece, each would leave a dark rim of air at the pleura.
    """

    canvas: Canvas
    recipe: Recipe
    body: Build
    tissue: Field
    """HU."""
    depth: Field
    """How far beneath the ribs, mm."""
    above: Field
    """How far above the diaphragm, mm."""
    fluid: Field
    """How thick the pleural fluid is that keeps the lung from the ribs here, mm."""
    clumps: Field
    """Smooth noise of unit variance, about 16 mm from clump to clump."""
    grains: Field
    """The same, 7 mm."""
    specks: Field
    """The same, 4 mm."""
    pneumonia: Field
    """Share of each voxel that pneumonia fills."""
    tumour: Field
    """Share of each voxel that tumours and nodules fill."""
    doubtful: Field
    """Share of each voxel that something fills which looks like pneumonia and is not."""

    def chance(self, number: int) -> np.random.Generator:
        """A stream of random numbers of its own, so that one disease never shifts another."""
        return np.random.default_rng([self.recipe.seed, number])

    def thicken(self, box: Box | tuple[slice, ...], part: Field, value: float | Field) -> None:
        """Fill `part` of the voxels of a box with tissue, where it is not yet denser than that."""
        mix(self.tissue[box], part, np.maximum(value, self.tissue[box]))

    def add(self, hu: Field) -> None:
        """Make the tissue denser by this much, everywhere."""
        np.add(self.tissue, hu, out=self.tissue)

    def doubt(self, box: Box | tuple[slice, ...], part: Field) -> None:
        """Say that what was drawn here could be taken for pneumonia."""
        np.maximum(self.doubtful[box], part, out=self.doubtful[box])


EVERYWHERE = (slice(None),) * 3


def aerated(
    canvas: Canvas, recipe: Recipe, body: Build, cage: Field, below: Field, fluid: Field
) -> Lung:
    """Healthy lungs: denser to the back, most so just under the pleura, and mottled."""
    rng = np.random.default_rng([recipe.seed, 14])
    clumps, grains, specks = (
        smooth_noise(rng, canvas.shape, canvas.spacing, pitch) for pitch in (16.0, 7.0, 4.0)
    )
    slope = float(rng.uniform(10, 70)) / body.depth
    tissue = np.float32(recipe.lung_hu) + np.float32(slope) * canvas.y
    tissue += np.float32(recipe.mosaic) * (np.float32(0.8) * clumps + np.float32(0.6) * grains)
    nothing = [np.zeros(canvas.shape, np.float32) for _ in range(3)]
    return Lung(
        canvas, recipe, body, tissue, -cage, -below, fluid, clumps, grains, specks, *nothing
    )


def draw_fissures(lung: Lung) -> None:
    """The oblique fissure of each lung and the right one's minor fissure, seen or hardly so."""
    rng = lung.chance(15)
    canvas, body = lung.canvas, lung.body
    clear = np.float32(rng.uniform(0.1, 1.0) * 0.9 / canvas.edge)
    oblique = thorax.oblique_fissure(body, canvas.y, canvas.z)
    minor = thorax.minor_fissure(body, canvas.x, canvas.y, canvas.z)
    for sheet in (oblique, minor):
        gap: Field = np.abs(sheet + 3 * lung.clumps) - np.float32(0.3)
        part = canvas.soft(gap) * clear
        lung.thicken(EVERYWHERE, part, -150.0)


def places(body: Build, rng: np.random.Generator, count: int = 4000) -> Points:
    """Points (n, 3) that are spread evenly over the lungs."""
    low = (-body.width, -body.depth, body.recess)
    points = rng.uniform(low, (body.width, body.depth, body.height), (count, 3))
    return np.asarray(points[thorax.lungs(body, *points.astype(np.float32).T) < 0])
