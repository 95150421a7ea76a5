"""Branching vessels and bronchi: a tree for arteries and one for veins, to just under the pleura.

A tree is grown from its tips: points that are spread evenly over a lung are halved again and
again, across their longest direction, and each half gets a branch. So every part of the lung has
vessels, and a branch is as thick as the tips that it feeds demand (Murray's law).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from phantom import thorax
from phantom.canvas import Canvas, Field, Points, mix
from phantom.recipe import Recipe
from phantom.shapes import tube
from phantom.thorax import Build

THICK = 0.9
"""From this radius on, in voxels, a branch is drawn as a tube; thinner ones as points."""
TIPS = 520
"""Ends of a tree in one lung."""
MURRAY = 1 / 2.7
"""Exponent by which calibre grows with the number of tips."""


@dataclass(frozen=True)
class Tree:
    """Straight branches: where they start and end (n, 3) in mm, how thick they are (n,)."""

    starts: Points
    ends: Points
    radii: NDArray[np.float64]
    order: NDArray[np.int64]
    """How many forks lie between the root and the branch (n,)."""
    aside: Points
    """Unit vectors (n, 3) to where the bronchus runs beside an artery."""

    @classmethod
    def join(cls, trees: list[Tree]) -> Tree:
        names = ("starts", "ends", "radii", "order", "aside")
        return cls(*(np.concatenate([getattr(tree, name) for tree in trees]) for name in names))

    def where(self, chosen: NDArray[np.bool_]) -> Tree:
        return Tree(
            self.starts[chosen],
            self.ends[chosen],
            self.radii[chosen],
            self.order[chosen],
            self.aside[chosen],
        )


def grow(recipe: Recipe, body: Build) -> tuple[Tree, Tree]:
    """Arteries and veins of both lungs."""
    rng = np.random.default_rng([recipe.seed, 3])
    low = (-body.width, -body.depth, body.recess)
    points = rng.uniform(low, (body.width, body.depth, body.height), (9000, 3))
    points = points[thorax.lungs(body, *points.astype(np.float32).T) < -5.0]
    trees: list[list[Tree]] = [[], []]
    calibre = recipe.vessels * recipe.scale * float(rng.uniform(0.52, 0.74))
    for root, side in zip(body.roots, (1.0, -1.0), strict=True):
        own = points[points[:, 0] * side > 0]
        for kind in range(2):
            tips = own[kind::2][:TIPS]
            lobes = _lobes(body, tips)
            for door in root.doors:
                entry = (door.artery, door.vein)[kind]
                aside = door.bronchus - entry
                aside = aside / np.linalg.norm(aside)
                inside = tips[lobes == door.lobe]
                if len(inside):
                    trees[kind].append(_branch(rng, entry, inside, calibre, aside))
    return Tree.join(trees[0]), Tree.join(trees[1])


def _lobes(body: Build, points: Points) -> NDArray[np.str_]:
    """The lobe (n,) in which each point lies."""
    x, y, z = points.astype(np.float32).T
    below = thorax.oblique_fissure(body, y, z) < 0
    middle = (x < 0) & (thorax.minor_fissure(body, x, y, z) < 0)
    return np.where(below, "lower", np.where(middle, "middle", "upper"))


def _branch(
    rng: np.random.Generator, root: Points, tips: Points, calibre: float, aside: Points
) -> Tree:
    """Halve the tips until each stands alone; a branch runs from fork to fork."""
    grown: list[Tree] = []
    group = np.zeros(len(tips), dtype=np.int64)
    forks = root[None]
    for order in range(12):
        count = np.bincount(group)
        middle = _means(group, count, tips)
        reach = 0.34 if order else 0.22
        ends = forks + (middle - forks) * reach * rng.uniform(0.8, 1.2, (len(count), 1))
        length = np.linalg.norm(middle - forks, axis=1, keepdims=True)
        ends += rng.normal(0, 0.06, ends.shape) * length
        alone = count == 1
        ends[alone] = middle[alone]
        radii = calibre * count.astype(np.float64) ** MURRAY
        beside = np.broadcast_to(aside, ends.shape)
        grown.append(Tree(forks, ends, radii, np.full(len(count), order), beside))
        keep = ~alone[group]
        tips, group = tips[keep], group[keep]
        if not len(tips):
            break
        half = _halves(rng, group, tips, middle)
        parents, group = np.unique(group * 2 + half, return_inverse=True)
        forks = ends[parents // 2]
    return Tree.join(grown)


def _means(group: NDArray[np.int64], count: NDArray[np.int64], tips: Points) -> Points:
    sums = [np.bincount(group, tips[:, axis]) for axis in range(3)]
    return np.asarray(np.stack(sums, axis=1) / count[:, None])


def _halves(
    rng: np.random.Generator, group: NDArray[np.int64], tips: Points, middle: Points
) -> NDArray[np.int64]:
    """0 or 1 for each tip: on which side of its group's middle it lies along the longest axis."""
    away = tips - middle[group]
    spread = np.stack([np.bincount(group, away[:, axis] ** 2) for axis in range(3)], axis=1)
    aim = np.sqrt(spread) ** 3 * rng.choice([-1.0, 1.0], spread.shape)
    place = np.einsum("na,na->n", away, aim[group])
    order = np.lexsort((place, group))
    rank = np.empty(len(tips), dtype=np.int64)
    count = np.bincount(group)
    first = np.cumsum(count) - count
    rank[order] = np.arange(len(tips)) - np.repeat(first, count)
    part = np.clip(np.rint(count * rng.uniform(0.32, 0.68, len(count))), 1, count - 1)
    return (rank >= part[group]).astype(np.int64)


def draw(tissue: Field, canvas: Canvas, trees: tuple[Tree, Tree], blood: Points) -> None:
    """Mix the branches into the HU of lung tissue; `blood` is the HU of each of the two trees."""
    for tree, value in zip(trees, blood, strict=True):
        share = np.zeros(canvas.shape, np.float32)
        thick = tree.radii > THICK * canvas.spacing[1]
        _tubes(share, canvas, tree.where(thick))
        _splat(share, canvas, tree.where(~thick))
        mix(tissue, share, float(value))


def draw_bronchi(tissue: Field, canvas: Canvas, arteries: Tree, wall: float) -> None:
    """Beside the arteries of the first orders, tubes of air with a wall of so many mm."""
    first = arteries.where((arteries.order < 6) & (arteries.radii > 1.3))
    for value, extra in ((0.0, wall), (-960.0, 0.0)):
        share = np.zeros(canvas.shape, np.float32)
        radii = first.radii * 0.72
        shift = first.aside * (1.05 * first.radii + radii + wall)[:, None]
        beside = replace(
            first, starts=first.starts + shift, ends=first.ends + shift, radii=radii + extra
        )
        thick = beside.radii > THICK * canvas.spacing[1]
        _tubes(share, canvas, beside.where(thick))
        _splat(share, canvas, beside.where(~thick))
        mix(tissue, share, np.maximum(tissue, value) if value == 0 else value)


def _tubes(share: Field, canvas: Canvas, tree: Tree) -> None:
    paths = np.stack([tree.starts, tree.ends], axis=1)
    index = canvas.voxels(paths.reshape(-1, 3)).reshape(paths.shape)
    for path, at, radius in zip(paths, index, tree.radii, strict=True):
        box = canvas.around(at, radius + canvas.edge)
        if box is not None:
            distance = tube(canvas.x[box], canvas.y[box], canvas.z[box], path, float(radius))
            np.maximum(share[box], canvas.soft(distance), out=share[box])


def _splat(share: Field, canvas: Canvas, tree: Tree) -> None:
    """Add thin branches as points, each with the volume that it fills of the voxels around."""
    starts, ends, radii = tree.starts, tree.ends, tree.radii
    if not len(radii):
        return
    step = 0.8 * min(canvas.spacing)
    lengths = np.linalg.norm(ends - starts, axis=1)
    counts = np.ceil(lengths / step).astype(int) + 1
    owner = np.repeat(np.arange(len(radii)), counts)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    along = (place / counts[owner])[:, None]
    both = canvas.voxels(np.concatenate([starts, ends]))
    index = both[owner] * (1 - along) + both[len(radii) + owner] * along
    volume = np.pi * radii[owner] ** 2 * lengths[owner] / counts[owner]
    volume /= float(np.prod(canvas.spacing))
    low = np.floor(index).astype(int)
    voxels, weights = [], []
    for corner in np.ndindex(2, 2, 2):
        at = low + corner
        valid = np.all((at >= 0) & (at < canvas.shape), axis=1)
        weights.append(volume[valid] * np.prod(1 - np.abs(index - at)[valid], axis=1))
        voxels.append(np.ravel_multi_index(tuple(at[valid].T), canvas.shape))
    total = np.bincount(np.concatenate(voxels), np.concatenate(weights), share.size)
    share += total.reshape(canvas.shape).astype(np.float32)
    np.clip(share, 0, 1, out=share)
