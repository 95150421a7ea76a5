"""Branching vessels and bronchi, from the hila to just under the pleura."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantom.canvas import Canvas, Field, Points, mix
from phantom.recipe import Recipe
from phantom.shapes import tube
from phantom.thorax import Build, lungs

THICK = 0.75
"""From this radius on, in voxels, a branch is drawn as a tube; thinner ones as points."""


@dataclass(frozen=True)
class Tree:
    """Straight branches: where they start and end (n, 3) in mm, how thick they are (n,)."""

    starts: Points
    ends: Points
    radii: NDArray[np.float64]


def grow(recipe: Recipe, body: Build) -> Tree:
    """Arteries and veins of both lungs, generation by generation, kept inside the lungs."""
    rng = np.random.default_rng([recipe.seed, 3])
    grown: list[Tree] = []
    for hilum, side in zip(body.hila, (1.0, -1.0), strict=True):
        tips = np.repeat(np.array([hilum]), 15, axis=0) + rng.normal(0, 1, (15, 3)) * (5, 8, 14)
        aims = _aims(rng, side)
        radii = rng.uniform(2.6, 4.4, 15) * recipe.scale
        reach = rng.uniform(32, 54, 15) * recipe.scale
        for generation in range(7):
            ends = tips + aims * reach[:, None]
            ends, keep = _shorten(body, tips, ends, 8.0 if generation == 0 else -1.5)
            tips, aims, radii, reach, ends = (a[keep] for a in (tips, aims, radii, reach, ends))
            grown.append(Tree(tips, ends, radii))
            tips, aims, radii, reach = _fork(rng, ends, aims, radii, reach)
    return Tree(
        *(np.concatenate([getattr(t, n) for t in grown]) for n in ("starts", "ends", "radii"))
    )


def _shorten(
    body: Build, tips: Points, ends: Points, limit: float
) -> tuple[Points, NDArray[np.bool_]]:
    """Pull back ends that left the lungs; says which branches still end inside."""
    for _ in range(3):
        outside = lungs(body, *ends.astype(np.float32).T) > limit
        ends = np.where(outside[:, None], tips + 0.6 * (ends - tips), ends)
    return ends, lungs(body, *ends.astype(np.float32).T) <= limit


def _aims(rng: np.random.Generator, side: float) -> Points:
    """Directions (15, 3) that fan out from a hilum, none of them back to the middle."""
    aims = rng.normal(0, 1, (15, 3)) * (0.5, 0.9, 1.0)
    aims[:, 2] += np.linspace(-1.6, 0.9, 15)
    aims[:, 0] = side * (np.abs(aims[:, 0]) + 0.35)
    return np.asarray(aims / np.linalg.norm(aims, axis=1, keepdims=True))


def _fork(
    rng: np.random.Generator,
    ends: Points,
    aims: Points,
    radii: NDArray[np.float64],
    reach: NDArray[np.float64],
) -> tuple[Points, Points, NDArray[np.float64], NDArray[np.float64]]:
    """Three daughters for each branch: shorter and thinner, about as much area in all."""
    daughters = 3
    tips, wide = np.repeat(ends, daughters, 0), np.repeat(aims, daughters, 0)
    wide = wide + rng.normal(0, 0.46, wide.shape)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    thin = np.repeat(radii, daughters) * rng.uniform(0.56, 0.80, len(tips))
    short = np.repeat(reach, daughters) * rng.uniform(0.55, 0.9, len(tips))
    keep = (thin > 0.35) & (short > 4)
    return tips[keep], wide[keep], thin[keep], short[keep]


def draw(tissue: Field, canvas: Canvas, tree: Tree, value: float) -> None:
    """Mix the branches into the HU of lung tissue."""
    share = np.zeros(canvas.shape, np.float32)
    pixel = canvas.spacing[1]
    thick = tree.radii > THICK * pixel
    paths = np.stack([tree.starts[thick], tree.ends[thick]], axis=1)
    index = canvas.voxels(paths.reshape(-1, 3)).reshape(paths.shape)
    for path, at, radius in zip(paths, index, tree.radii[thick], strict=True):
        box = canvas.around(at, radius + canvas.edge)
        if box is not None:
            distance = tube(canvas.x[box], canvas.y[box], canvas.z[box], path, float(radius))
            np.maximum(share[box], canvas.soft(distance), out=share[box])
    _splat(share, canvas, tree, ~thick)
    mix(tissue, share, value)


def _splat(share: Field, canvas: Canvas, tree: Tree, chosen: NDArray[np.bool_]) -> None:
    """Add thin branches as points, each with the volume that it fills of the voxels around."""
    starts, ends, radii = tree.starts[chosen], tree.ends[chosen], tree.radii[chosen]
    if not len(radii):
        return
    step = 0.6 * min(canvas.spacing)
    counts = np.ceil(np.linalg.norm(ends - starts, axis=1) / step).astype(int) + 1
    owner = np.repeat(np.arange(len(radii)), counts)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    along = (place / counts[owner])[:, None]
    length = np.linalg.norm(ends - starts, axis=1)[owner] / counts[owner]
    index = canvas.voxels(starts[owner] * (1 - along) + ends[owner] * along)
    volume = np.pi * radii[owner] ** 2 * length / float(np.prod(canvas.spacing))
    low = np.floor(index).astype(int)
    for corner in np.ndindex(2, 2, 2):
        at = low + corner
        weight = volume * np.prod(1 - np.abs(index - at), axis=1)
        valid = np.all((at >= 0) & (at < canvas.shape), axis=1)
        np.add.at(share, tuple(at[valid].T), weight[valid].astype(np.float32))
    np.clip(share, 0, 1, out=share)
