"""Pneumonia: the opacities of COVID-19, and the consolidated lobe that is something else.

COVID-19 pneumonia prefers the periphery, the back and the lower lobes, is often on both sides,
and begins as ground glass that is crossed by septa and consolidates (Simpson et al., Radiol.
Cardiothorac. Imaging 2020). A lobar pneumonia fills one lobe up to its fissure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phantom import thorax
from phantom.canvas import Box, Field, Points
from phantom.parenchyma import EVERYWHERE, Lung, places
from phantom.shapes import ellipsoid, vector


def draw(lung: Lung) -> None:
    """Mix the recipe's pneumonia into the lungs."""
    if lung.recipe.kind == "lobar":
        for number in range(lung.recipe.lesions):
            _draw_lobe(lung, lung.chance(100 + number))
    elif lung.recipe.covid:
        rng = lung.chance(9)
        _draw_clouds(lung, rng)
        severity = float(rng.lognormal(0.05, 0.42))
        for centre in _sites(rng, lung, lung.recipe.lesions):
            _draw_opacity(lung, rng, centre, severity)


def _sites(rng: np.random.Generator, lung: Lung, count: int) -> Points:
    """Centres (count, 3) inside the lungs, mostly under the pleura, low and at the back."""
    body = lung.body
    points = places(body, rng)
    depth = -thorax.rib_cage(body, *points.astype(np.float32).T)
    weight = np.exp(-depth / rng.uniform(4, 26))
    weight = weight * np.exp(-points[:, 2] / body.height * rng.uniform(-0.5, 3.5))
    weight = weight * np.exp(points[:, 1] / body.depth * rng.uniform(-0.2, 1.8))
    if rng.random() < 0.15:
        weight = weight * (np.sign(points[:, 0]) == rng.choice([-1.0, 1.0]))
    return np.asarray(points[rng.choice(len(points), count, p=weight / weight.sum())])


@dataclass(frozen=True)
class _Look:
    """What one patch is like."""

    added: float
    """HU above healthy lung."""
    grain: float
    """Deviation of its density, HU."""
    net: float
    """HU that a net of septa adds; 0 for none."""
    rim: float
    """HU that its outer shell adds (the reversed halo); 0 for none."""
    dense: bool


def _consolidation(rng: np.random.Generator, lung: Lung) -> _Look:
    added = float(rng.uniform(-140, 60)) - lung.recipe.lung_hu
    return _Look(added, float(rng.uniform(10, 60)), 0.0, 0.0, True)


def _glass(rng: np.random.Generator, lung: Lung) -> _Look:
    recipe = lung.recipe
    strong = 1 - float(np.clip(recipe.faintness + rng.normal(0, 0.2), 0, 1))
    added = 90 + 130 * float(rng.uniform(0.3, 1)) + 270 * strong
    net = float(rng.uniform(90, 260)) if rng.random() < recipe.paving else 0.0
    rim = float(rng.uniform(200, 450)) if rng.random() < 0.04 else 0.0
    return _Look(added, float(rng.uniform(10, 70)), net, rim, False)


def _draw_opacity(lung: Lung, rng: np.random.Generator, centre: Points, severity: float) -> None:
    """Ground glass, or a consolidation, which seldom lacks ground glass around it."""
    size = float(np.clip(severity * rng.lognormal(2.75, 0.55), 4, 62))
    if rng.random() >= lung.recipe.density:
        _draw_patch(lung, rng, centre, size, _glass(rng, lung))
        return
    if rng.random() < 0.8:
        _draw_patch(lung, rng, centre, min(1.5 * size, 62.0), _glass(rng, lung))
    _draw_patch(lung, rng, centre, 0.85 * size, _consolidation(rng, lung))


def _draw_patch(
    lung: Lung, rng: np.random.Generator, centre: Points, size: float, look: _Look
) -> None:
    """One patch with an uneven, blurred border; half of them lie along the pleura like a rind."""
    blur = float(rng.uniform(1.5, 6) if look.dense else rng.uniform(3, 12))
    ragged = float(rng.uniform(0.1, 0.4)) * size
    rind = float(rng.uniform(0.35, 1.0)) * size if rng.random() < 0.5 else None
    radii = vector(size * rng.uniform(0.65, 1.45, 3) * (1.35 if rind else 1.0))
    at, turn = vector(centre), float(rng.uniform(0, np.pi))
    box = lung.canvas.box(np.array([at]), max(radii) + 1.6 * ragged + blur)
    if box is None:
        return
    canvas = lung.canvas
    distance = ellipsoid(canvas.x[box], canvas.y[box], canvas.z[box], at, radii, turn)
    if rind:
        under = lung.depth[box] - lung.fluid[box]
        np.maximum(distance, under - np.float32(rind), out=distance)
    distance += np.float32(ragged) * (
        np.float32(0.7) * lung.clumps[box] + np.float32(0.3) * lung.grains[box]
    )
    part = np.clip(0.5 - distance / np.float32(max(blur, canvas.edge)), 0, 1)
    part *= part * (3 - 2 * part)
    _fill(lung, box, part, look, distance, float(rng.uniform(4, 8)))


def _fill(lung: Lung, box: Box, part: Field, look: _Look, distance: Field, width: float) -> None:
    """An opacity adds tissue: where an earlier patch is already denser, it stays as it is."""
    base = np.float32(lung.recipe.lung_hu + look.added)
    value = base + np.float32(look.grain) * (lung.grains[box] + 0.5 * lung.specks[box])
    if look.net:
        value += np.float32(look.net) * net(lung.grains[box])
    if look.rim:
        value += np.float32(look.rim) * np.clip(2 - np.abs(distance + width) / width, 0, 1)
    lung.thicken(box, part, np.minimum(value, np.float32(75)))
    np.maximum(lung.pneumonia[box], part, out=lung.pneumonia[box])


def net(noise: Field) -> Field:
    """Lines (share 0 to 1) where smooth noise changes its sign: meshes as wide as its clumps."""
    return np.asarray(np.clip(np.float32(1.25) - np.abs(noise) * np.float32(3.5), 0, 1))


def _draw_clouds(lung: Lung, rng: np.random.Generator) -> None:
    """Diffuse ground glass without centres, denser at the periphery and to the back."""
    share = lung.recipe.diffuse
    if not share:
        return
    body, canvas = lung.body, lung.canvas
    field = lung.clumps * np.float32(rng.uniform(0.4, 1.0)) + np.float32(0.3) * lung.grains
    field += np.float32(rng.uniform(0, 1.2)) * np.exp(lung.depth * np.float32(-1 / 18))
    field += np.float32(rng.uniform(0, 0.9) / body.depth) * canvas.y
    field -= np.float32(rng.uniform(0, 1.2) / body.height) * (
        canvas.z - np.float32(0.4 * body.height)
    )
    inside = field[(lung.depth > 0) & (lung.above > 0)]
    if not inside.size:
        return
    limit = float(np.quantile(inside[::7], 1 - share))
    part = np.clip((field - np.float32(limit)) * np.float32(rng.uniform(0.8, 3)) + 0.5, 0, 1)
    strong = 1 - lung.recipe.faintness
    added = 110 + 120 * float(rng.uniform(0, 1)) + 260 * strong * float(rng.uniform(0.3, 1))
    mesh = float(rng.uniform(90, 260)) if rng.random() < lung.recipe.paving else 0.0
    value = lung.tissue + np.float32(added) + 30 * lung.grains
    if mesh:
        value += np.float32(mesh) * net(lung.grains)
    lung.thicken(EVERYWHERE, part, np.minimum(value, np.float32(40)))
    np.maximum(lung.pneumonia, part, out=lung.pneumonia)


def _draw_lobe(lung: Lung, rng: np.random.Generator) -> None:
    """One consolidated lobe, or the part of it that is next to a fissure."""
    canvas, body = lung.canvas, lung.body
    side, lobe = (float(rng.choice([-1.0, 1.0])) for _ in range(2))
    reach = float(rng.uniform(26, 95))
    points = places(body, rng)
    y, z = (points[:, axis].astype(np.float32) for axis in (1, 2))
    fits = (thorax.oblique_fissure(body, y, z) * lobe < -8) & (points[:, 0] * side > 0)
    centre = np.array([vector(points[fits][0])])
    box = canvas.box(centre, reach * 1.6)
    if box is None:
        return
    at = vector(centre[0])
    x, y, z = canvas.x[box], canvas.y[box], canvas.z[box]
    ball = ellipsoid(x, y, z, at, (reach, reach * 1.1, reach))
    patchy = ball + np.float32(rng.uniform(4, 14)) * lung.clumps[box]
    above = thorax.oblique_fissure(body, y, z) * np.float32(lobe)
    distance = np.maximum(np.maximum(above, patchy * np.float32(0.6)), -np.float32(side) * x)
    blur = np.float32(rng.uniform(1, 8))
    part = np.clip(0.5 - distance / max(blur, np.float32(canvas.edge)), 0, 1)
    # Fully consolidated, or still with air between the filled alveoli.
    filled = float(rng.uniform(10, 60)) - 450 * float(1 - lung.recipe.density) ** 2
    lung.thicken(box, part, np.float32(filled) + 14 * lung.grains[box])
    np.maximum(lung.pneumonia[box], part, out=lung.pneumonia[box])
