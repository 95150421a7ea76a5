"""What lungs carry that is neither pneumonia nor mass: holes, nodules, scars, nets, bands."""

from __future__ import annotations

import numpy as np

from phantom.airspace import net
from phantom.canvas import Field, mix
from phantom.parenchyma import EVERYWHERE, Lung, places
from phantom.shapes import ellipsoid, vector


def draw(lung: Lung) -> None:
    """Mix the recipe's chronic changes into the lungs."""
    recipe = lung.recipe
    if recipe.emphysema:
        _draw_emphysema(lung)
    if recipe.scars:
        _draw_scars(lung)
    if recipe.fibrosis:
        _draw_fibrosis(lung)
    if recipe.septa:
        _draw_septa(lung)
    for number in range(recipe.bands):
        _draw_band(lung, lung.chance(200 + number))
    if recipe.nodules:
        _draw_nodules(lung)


def _draw_emphysema(lung: Lung) -> None:
    """Holes within the lobules, more of them above; and bullae under the upper pleura."""
    rng = lung.chance(20)
    canvas, share = lung.canvas, lung.recipe.emphysema
    upper = canvas.z * np.float32(rng.uniform(-0.2, 1.0) / lung.body.height)
    field = lung.grains * np.float32(0.8) + lung.clumps * np.float32(0.6) + upper
    holes = np.clip(2 * (field - np.float32(2.0 - 3.2 * share)), 0, 1)
    lung.add(holes * (-975 - lung.tissue))
    for _ in range(int(rng.poisson(8 * share))):
        points = places(lung.body, rng, 300)
        at = vector(points[int(np.argmax(points[:, 2] * rng.uniform(0.3, 1, len(points))))])
        radii = vector(float(rng.uniform(5, 28)) * rng.uniform(0.7, 1.2, 3))
        box = canvas.box(np.array([at]), max(radii) + 4)
        if box is None:
            continue
        bulla = ellipsoid(canvas.x[box], canvas.y[box], canvas.z[box], at, radii)
        rim: Field = np.abs(bulla) - np.float32(0.5)
        lung.thicken(box, canvas.soft(rim) * np.float32(0.6), -400.0)
        mix(lung.tissue[box], canvas.soft(bulla + 1), -985.0)


def _draw_scars(lung: Lung) -> None:
    """Caps and strands at the apices."""
    rng = lung.chance(21)
    canvas, thick = lung.canvas, lung.recipe.scars
    top = (np.float32(lung.body.height * rng.uniform(0.66, 0.82)) - canvas.z) * np.float32(0.5)
    cap = lung.depth - np.float32(thick) * (np.float32(0.7) + np.float32(0.8) * lung.grains)
    part = canvas.soft(np.maximum(cap, top)) * np.float32(0.85)
    strand = np.clip(np.abs(lung.grains) * 6 - 1, 0, 1)
    near = np.clip(1 - lung.depth * np.float32(1 / (6 * thick)), 0, 1) * canvas.soft(top)
    part = np.maximum(part, (1 - strand) * near * np.float32(0.5))
    lung.thicken(EVERYWHERE, part, float(rng.uniform(-150, 60)))
    lung.doubt(EVERYWHERE, part * (part > 0.3))


def _draw_fibrosis(lung: Lung) -> None:
    """A net under the pleura of the bases, with small cysts in its meshes."""
    rng = lung.chance(22)
    reach = np.float32(lung.recipe.fibrosis)
    low = 1 - np.clip(lung.canvas.z * np.float32(1 / (0.6 * lung.body.height)), 0, 1)
    near = np.clip((reach * (1 + np.float32(0.5) * lung.clumps) - lung.depth) / 4 + 0.5, 0, 1) * low
    haze = near * np.float32(rng.uniform(60, 200))
    lung.add(haze)
    lung.thicken(EVERYWHERE, near * net(lung.grains) * np.float32(0.75), -120.0)
    cysts = near * np.clip(np.abs(lung.grains) * 2 - 2, 0, 1) * float(rng.uniform(0, 1))
    mix(lung.tissue, np.asarray(cysts, dtype=np.float32), -930.0)
    lung.doubt(EVERYWHERE, near)


def _draw_septa(lung: Lung) -> None:
    """Thickened septa of the lobules: a net near the pleura, most of all low and at the sides."""
    rng = lung.chance(23)
    near = np.exp(lung.depth * np.float32(-1 / rng.uniform(12, 45)))
    near *= 1 - np.clip(lung.canvas.z * np.float32(0.8 / lung.body.height), 0, 0.8)
    wide = lung.clumps * np.float32(0.75) + lung.grains * np.float32(0.6)
    lines = np.clip(np.float32(1.2) - np.abs(wide) * np.float32(6), 0, 1)
    lung.add(np.float32(lung.recipe.septa) * lines * near)


def _draw_band(lung: Lung, rng: np.random.Generator) -> None:
    """A platelike atelectasis: a thin disc, mostly at a base, more level than upright."""
    canvas = lung.canvas
    points = places(lung.body, rng, 400)
    weight = np.exp(-points[:, 2] / lung.body.height * 4)
    at = points[int(rng.choice(len(points), p=weight / weight.sum()))]
    normal = rng.normal(0, 1, 3) * (0.5, 0.5, 1.0)
    normal /= np.linalg.norm(normal)
    reach, thick = float(rng.uniform(12, 45)), float(rng.uniform(1.5, 6))
    box = canvas.box(np.array([at]), reach + canvas.edge)
    if box is None:
        return
    dx, dy, dz = (
        axis[box] - np.float32(value)
        for axis, value in zip((canvas.x, canvas.y, canvas.z), at, strict=True)
    )
    a, b, c = (np.float32(part) for part in normal)
    across = np.abs(dx * a + dy * b + dz * c + 2 * lung.clumps[box]) - np.float32(thick / 2)
    rim = np.sqrt(dx * dx + dy * dy + dz * dz) - np.float32(reach) + 5 * lung.clumps[box]
    part = canvas.soft(np.maximum(across, rim * np.float32(0.4)))
    lung.thicken(box, part, float(rng.uniform(-250, 50)))
    lung.doubt(box, part)


def _draw_nodules(lung: Lung) -> None:
    """Small round nodules, solid or (seldom) calcified."""
    rng = lung.chance(24)
    canvas = lung.canvas
    for at in places(lung.body, rng, 600)[: lung.recipe.nodules]:
        size = float(rng.uniform(1.5, 6.0))
        box = canvas.box(np.array([at]), size * 1.5 + canvas.edge)
        if box is None:
            continue
        x, y, z = canvas.x[box], canvas.y[box], canvas.z[box]
        radii = vector(size * rng.uniform(0.85, 1.15, 3))
        part = canvas.soft(ellipsoid(x, y, z, vector(at), radii))
        value = float(rng.uniform(200, 700)) if rng.random() < 0.15 else float(rng.uniform(-20, 60))
        lung.thicken(box, part, value)
        np.maximum(lung.tumour[box], part, out=lung.tumour[box])
