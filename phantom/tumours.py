"""Masses of the lung: spiculated or smooth, at pleura and hilum, with what they do around them."""

from __future__ import annotations

import numpy as np

from phantom import thorax
from phantom.canvas import Box, Field, Points, mix
from phantom.parenchyma import Lung, places
from phantom.shapes import capsule, ellipsoid, vector


def draw(lung: Lung) -> None:
    """Mix as many masses into the lungs as the recipe counts."""
    if lung.recipe.kind != "tumour":
        return
    for number in range(lung.recipe.lesions):
        _draw_mass(lung, lung.chance(300 + number), first=number == 0)


def _site(lung: Lung, rng: np.random.Generator) -> Points:
    """A third at the pleura, a quarter at the hilum, the others anywhere."""
    points = places(lung.body, rng, 1500)
    where = rng.random()
    if where < 0.35:
        depth = -thorax.rib_cage(lung.body, *points.astype(np.float32).T)
        points = points[depth < 8]
    elif where < 0.6:
        hila = np.array(lung.body.hila)
        gaps = np.linalg.norm(points[:, None] - hila, axis=2).min(axis=1)
        points = points[gaps < np.quantile(gaps, 0.06)]
    return np.asarray(points[0])


def _draw_mass(lung: Lung, rng: np.random.Generator, *, first: bool) -> None:
    """One mass of 6 to 80 mm; the first one is mostly large."""
    canvas = lung.canvas
    at = _site(lung, rng)
    size = float(np.clip(rng.lognormal(2.9 if first else 2.0, 0.6), 3, 40))
    box = canvas.box(np.array([at]), size * 2.2 + 12)
    if box is None:
        return
    x, y, z = canvas.x[box], canvas.y[box], canvas.z[box]
    radii = vector(size * rng.uniform(0.8, 1.25, 3))
    distance = ellipsoid(x, y, z, vector(at), radii, float(rng.uniform(0, np.pi)))
    lobed = float(rng.uniform(0.04, 0.3)) * size
    distance += np.float32(lobed) * lung.clumps[box] + np.float32(0.3 * lobed) * lung.grains[box]
    _draw_around(lung, rng, box, distance, at, size)
    part = canvas.soft(distance)
    if rng.random() < 0.6:
        np.maximum(part, _spicules(lung, rng, box, at, size), out=part)
    enhanced = float(rng.uniform(0.05, 0.35)) * lung.recipe.contrast
    value = np.float32(rng.uniform(5, 55) + enhanced) + 8 * lung.clumps[box]
    lung.thicken(box, part, value)
    _hollow(lung, rng, box, distance, size)
    np.maximum(lung.tumour[box], part, out=lung.tumour[box])


def _spicules(lung: Lung, rng: np.random.Generator, box: Box, at: Points, size: float) -> Field:
    """Thin spikes out of a mass: their share of the voxels."""
    canvas = lung.canvas
    x, y, z = canvas.x[box], canvas.y[box], canvas.z[box]
    part = np.zeros(x.shape, np.float32)
    for _ in range(int(rng.integers(4, 13))):
        aim = rng.normal(0, 1, 3)
        tip = at + aim / np.linalg.norm(aim) * size * rng.uniform(1.3, 1.95)
        spike = capsule(x, y, z, vector(at), vector(tip), float(rng.uniform(0.5, 1.3)))
        np.maximum(part, canvas.soft(spike) * np.float32(rng.uniform(0.3, 0.8)), out=part)
    return part


def _draw_around(
    lung: Lung, rng: np.random.Generator, box: Box, distance: Field, at: Points, size: float
) -> None:
    """Haze around some masses; behind those near a hilum, lung without air."""
    if rng.random() < 0.45:
        reach = np.float32(rng.uniform(3, 4 + min(8.0, 0.4 * size)))
        haze = np.exp(np.clip(distance, 0, None) / -reach)
        haze *= np.clip(1 + np.float32(0.5) * lung.clumps[box], 0, 1)
        added = np.float32(rng.uniform(80, 350))
        lung.thicken(box, haze, lung.tissue[box] + added)
        lung.doubt(box, haze * (distance > 0))
    if rng.random() < 0.4:
        canvas = lung.canvas
        hilum = np.array(lung.body.hila[0 if at[0] > 0 else 1])
        aim = (at - hilum) / (np.linalg.norm(at - hilum) + 1e-6)
        dx, dy, dz = (
            axis[box] - np.float32(value)
            for axis, value in zip((canvas.x, canvas.y, canvas.z), at, strict=True)
        )
        along = dx * np.float32(aim[0]) + dy * np.float32(aim[1]) + dz * np.float32(aim[2])
        aside = np.sqrt(np.clip(dx * dx + dy * dy + dz * dz - along * along, 0, None))
        wedge = np.maximum(aside - np.float32(0.6 * size) - along * np.float32(0.35), -along)
        np.maximum(wedge, along - np.float32(1.9 * size), out=wedge)
        wedge += 3 * lung.clumps[box]
        part = np.clip(0.5 - wedge / 4, 0, 1)
        lung.thicken(box, part, float(rng.uniform(-350, 50)) + 20 * lung.grains[box])
        lung.doubt(box, part)


def _hollow(lung: Lung, rng: np.random.Generator, box: Box, distance: Field, size: float) -> None:
    """Dead tissue, or seldom a cave, in the middle of a large mass."""
    if size < 12 or rng.random() < 0.6:
        return
    core = distance + np.float32(size * rng.uniform(0.3, 0.6)) + 2 * lung.grains[box]
    cave = rng.random() < 0.35
    mix(lung.tissue[box], lung.canvas.soft(core), -950.0 if cave else float(rng.uniform(5, 25)))
