"""Opacities of the lung: COVID-19's, and the look-alikes that are something else.

COVID-19 pneumonia prefers the periphery, the back and the lower lobes, is often on both sides,
and begins as ground glass that consolidates (Simpson et al., Radiol. Cardiothorac. Imaging 2020).
A lobar pneumonia fills one lobe up to its fissure; a tumour is solid and spiculated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phantom.canvas import Canvas, Field, Points, mix, smooth_noise
from phantom.recipe import Recipe
from phantom.shapes import Vector, ellipsoid
from phantom.thorax import Build, lungs, rib_cage


@dataclass(frozen=True)
class Shares:
    """Share of each voxel (z, y, x) that pneumonia and tumours fill, before the lungs' limits."""

    pneumonia: Field
    tumour: Field


def draw(tissue: Field, canvas: Canvas, recipe: Recipe, body: Build) -> Shares:
    """Mix the recipe's lesions into the HU of lung tissue, which the lungs' surface cuts later."""
    rng = np.random.default_rng([recipe.seed, 9])
    pneumonia, tumour = (np.zeros(canvas.shape, np.float32) for _ in range(2))
    if recipe.lesions == 0 or recipe.kind == "healthy":
        return Shares(pneumonia, tumour)
    coarse = smooth_noise(rng, canvas.shape, canvas.spacing, 16.0)
    fine = smooth_noise(rng, canvas.shape, canvas.spacing, 6.0)
    if recipe.kind == "lobar":
        pneumonia[:] = _lobe(canvas, rng, body, coarse)
        mix(tissue, pneumonia, float(rng.uniform(10, 60)) + 12 * fine)
    elif recipe.kind == "tumour":
        _draw_tumours(tissue, canvas, recipe, body, rng, fine, tumour)
    else:
        severity = float(rng.lognormal(0.15, 0.4))
        for centre in _places(rng, body, recipe.lesions):
            _draw_opacity(tissue, canvas, recipe, rng, centre, severity, (coarse, fine), pneumonia)
    return Shares(pneumonia, tumour)


def _places(rng: np.random.Generator, body: Build, count: int) -> Points:
    """Centres (count, 3) inside the lungs, mostly under the pleura, low and at the back."""
    points = _inside(rng, body)
    depth = -rib_cage(body, *points.astype(np.float32).T)
    weight = np.exp(-depth / rng.uniform(5, 22))
    weight = weight * np.exp(-points[:, 2] / body.height * rng.uniform(0.0, 3.5))
    weight = weight * np.exp(points[:, 1] / body.depth * rng.uniform(0.0, 1.8))
    if rng.random() < 0.2:
        weight = weight * (np.sign(points[:, 0]) == rng.choice([-1.0, 1.0]))
    chosen = rng.choice(len(points), count, p=weight / weight.sum())
    return np.asarray(points[chosen])


def _inside(rng: np.random.Generator, body: Build) -> Points:
    """Points (n, 3) that are spread evenly over the lungs."""
    low = (-body.width, -body.depth, body.recess)
    points = rng.uniform(low, (body.width, body.depth, body.height), (6000, 3))
    return np.asarray(points[lungs(body, *points.astype(np.float32).T) < 0])


def _draw_opacity(
    tissue: Field,
    canvas: Canvas,
    recipe: Recipe,
    rng: np.random.Generator,
    centre: Points,
    severity: float,
    textures: tuple[Field, Field],
    share: Field,
) -> None:
    """One patch of ground glass or consolidation with an uneven, blurred border."""
    dense = rng.random() < recipe.density
    size = float(np.clip(severity * rng.lognormal(2.75, 0.5), 5, 60)) * (0.85 if dense else 1.0)
    radii = _vector(size * rng.uniform(0.65, 1.45, 3))
    blur = float(rng.uniform(1.5, 5) if dense else rng.uniform(4, 11))
    at, turn = _vector(centre), float(rng.uniform(0, np.pi))
    ragged = float(rng.uniform(0.1, 0.35)) * size
    box = canvas.box(np.array([at]), max(radii) + 2.2 * ragged + blur)
    if box is None:
        return
    coarse, fine = textures[0][box], textures[1][box]
    distance = ellipsoid(canvas.x[box], canvas.y[box], canvas.z[box], at, radii, turn)
    distance += ragged * (0.8 * coarse + 0.25 * fine)
    part = np.clip(0.5 - distance / max(blur, canvas.edge), 0, 1)
    part = part * part * (3 - 2 * part)
    if dense:
        value = float(rng.uniform(-90, 60)) + 25 * fine
    else:
        value = float(rng.uniform(-690, -320)) + float(rng.uniform(15, 75)) * fine
    # An opacity adds tissue: where an earlier patch is already denser, it stays as it is.
    mix(tissue[box], part, np.maximum(value, tissue[box]))
    np.maximum(share[box], part, out=share[box])


def _lobe(canvas: Canvas, rng: np.random.Generator, body: Build, coarse: Field) -> Field:
    """Share of the voxels in one consolidated lobe, or the part of it that is next to a fissure."""
    side = float(rng.choice([-1.0, 1.0]))
    lobe = float(rng.choice([-1.0, 1.0]))
    above = fissure(body, canvas.y, canvas.z) * lobe
    reach = float(rng.uniform(38, 95))
    points = _inside(rng, body)
    y, z = (points[:, axis].astype(np.float32) for axis in (1, 2))
    fits = (fissure(body, y, z) * lobe < -8) & (points[:, 0] * side > 0)
    centre = _vector(points[fits][0])
    ball = ellipsoid(canvas.x, canvas.y, canvas.z, centre, (reach, reach * 1.1, reach))
    patchy = ball + float(rng.uniform(4, 12)) * coarse
    distance = np.maximum(np.maximum(above, patchy * 0.6), -side * canvas.x)
    return canvas.soft(distance)


def fissure(body: Build, y: Field, z: Field) -> Field:
    """Signed distance above the oblique fissure: positive in the upper lobe."""
    slope = 0.42 * body.height / body.depth
    gap = z - np.float32(0.34 * body.height) - np.float32(slope) * y
    return np.asarray(gap / np.sqrt(1 + slope**2), dtype=np.float32)


def _draw_tumours(
    tissue: Field,
    canvas: Canvas,
    recipe: Recipe,
    body: Build,
    rng: np.random.Generator,
    fine: Field,
    share: Field,
) -> None:
    """Solid round masses and nodules with spiculated borders, anywhere, the pleura included."""
    points = _inside(rng, body)
    for centre in points[rng.choice(len(points), recipe.lesions)]:
        size = float(np.clip(rng.lognormal(2.5, 0.6), 3, 45))
        radii = _vector(size * rng.uniform(0.8, 1.2, 3))
        box = canvas.box(np.array([_vector(centre)]), size * 2 + canvas.edge)
        if box is None:
            continue
        distance = ellipsoid(canvas.x[box], canvas.y[box], canvas.z[box], _vector(centre), radii)
        part = canvas.soft(distance + min(0.14 * size, 3.5) * fine[box])
        value = float(rng.uniform(5, 60)) + 0.25 * recipe.contrast
        mix(tissue[box], part, value)
        np.maximum(share[box], part, out=share[box])


def _vector(point: Points) -> Vector:
    return float(point[0]), float(point[1]), float(point[2])
