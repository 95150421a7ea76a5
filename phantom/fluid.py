"""Water and want of air: pleural effusion, cardiogenic oedema, atelectasis of the lowest parts."""

from __future__ import annotations

import numpy as np

from phantom.canvas import Canvas, Field, mix
from phantom.parenchyma import EVERYWHERE, Lung
from phantom.recipe import Recipe
from phantom.thorax import Build


def thickness(recipe: Recipe, body: Build, x: Field, y: Field, z: Field) -> Field:
    """How thick (mm) pleural fluid is here: a crescent that is deepest low and at the back."""
    left, right = recipe.effusion
    back = np.clip(y * np.float32(0.8 / body.depth) + np.float32(0.25), 0, 1.2) ** 1.5
    low = np.clip(1.15 - z * np.float32(1 / (0.85 * body.height)), 0, 1.2) ** 0.7
    deepest = np.where(x > 0, np.float32(left), np.float32(right))
    return np.asarray(deepest * back * low, dtype=np.float32)


def draw_effusion(hu: Field, canvas: Canvas, recipe: Recipe, space: Field, fluid: Field) -> None:
    """Fill the pleural space, whose signed distance is `space`; the lung is drawn over it later."""
    rng = np.random.default_rng([recipe.seed, 30])
    mix(hu, canvas.soft(space) * np.clip(fluid * np.float32(0.5), 0, 1), float(rng.uniform(2, 28)))


def draw(lung: Lung) -> None:
    """Mix oedema and atelectasis into the lungs."""
    recipe = lung.recipe
    if recipe.oedema:
        _draw_oedema(lung)
    if recipe.dependent:
        _draw_dependent(lung)
    if recipe.collapse:
        _draw_collapse(lung)
    if any(recipe.effusion):
        _draw_compressed(lung)


def _draw_oedema(lung: Lung) -> None:
    """Haze around both hila, more of it low and behind, that mostly spares the pleura."""
    rng = lung.chance(31)
    canvas, body = lung.canvas, lung.body
    reach = np.float32(rng.uniform(34, 80))
    near = canvas.smoothly(lambda x, y, z: _closeness(body, x, y, z, float(reach)))
    low = np.float32(rng.uniform(0, 0.5)) * np.clip(canvas.y * np.float32(1 / body.depth), -1, 1)
    part = near * np.float32(1.15) + low * near + np.float32(rng.uniform(0.0, 0.35)) * lung.clumps
    part += np.float32(rng.uniform(-0.45, 0.1))
    np.clip(part, 0, 1, out=part)
    if rng.random() < 0.7:
        part *= np.clip(lung.depth * np.float32(1 / rng.uniform(6, 24)), 0.1, 1)
    added = np.float32(lung.recipe.oedema)
    lung.thicken(EVERYWHERE, part, np.minimum(lung.tissue + added, np.float32(30)))
    lung.doubt(EVERYWHERE, np.minimum(part * added * np.float32(1 / 140), 1))


def _closeness(body: Build, x: Field, y: Field, z: Field, reach: float) -> Field:
    """1 at a hilum, 0 far from it."""
    total = np.zeros(np.broadcast(x, y, z).shape, np.float32)
    for centre in body.hila:
        at = (centre[0] * 1.4, centre[1] + 10, centre[2] - 15)
        gap = (x - at[0]) ** 2 + (y - at[1]) ** 2 + (0.7 * (z - at[2])) ** 2
        np.maximum(total, np.exp(gap * (-0.5 / reach**2)), out=total)
    return total


def _draw_dependent(lung: Lung) -> None:
    """Badly aired lung along the pleura at the back: ground glass that any supine patient has."""
    rng = lung.chance(32)
    back = np.clip(lung.canvas.y * np.float32(1 / lung.body.depth) - np.float32(0.1), 0, 1)
    low = 1 - np.clip(lung.canvas.z * np.float32(rng.uniform(0.3, 1.1) / lung.body.height), 0, 1)
    reach = np.float32(rng.uniform(4, 16))
    part = np.exp(np.clip(lung.depth - lung.fluid, 0, None) / -reach) * back * low
    part *= np.clip(1 + np.float32(0.35) * lung.clumps, 0, 2)
    added = np.float32(1.4 * lung.recipe.dependent) * part
    lung.add(np.clip(added, 0, np.clip(-lung.tissue, 0, None)))
    lung.doubt(EVERYWHERE, np.clip(added * np.float32(1 / 240), 0, 1))


def _draw_collapse(lung: Lung) -> None:
    """Lung without air above the diaphragm, at the back."""
    rng = lung.chance(33)
    back = lung.canvas.y * np.float32(1 / lung.body.depth) + np.float32(rng.uniform(-0.1, 0.5))
    high = np.float32(lung.recipe.collapse) * np.clip(1.4 * back, -0.5, 1.2)
    side = np.where(lung.canvas.x > 0, *(np.float32(v) for v in rng.uniform(0.1, 1.2, 2)))
    distance = lung.above - high * side + np.float32(rng.uniform(1, 5)) * lung.clumps
    part = np.clip(0.5 - distance / np.float32(rng.uniform(4, 10)), 0, 1)
    lung.thicken(EVERYWHERE, part, float(rng.uniform(-250, 50)) + 20 * lung.grains)
    lung.doubt(EVERYWHERE, part)


def _draw_compressed(lung: Lung) -> None:
    """The strip of lung that the fluid presses the air out of."""
    rng = lung.chance(34)
    share = np.float32(rng.uniform(0.1, 0.9))
    distance = lung.depth - lung.fluid * (1 + share) + 2 * lung.clumps
    part = np.clip(0.5 - distance / 5, 0, 1) * np.clip(lung.fluid * 0.25 - 0.5, 0, 1)
    value = float(rng.uniform(-60, 60)) + float(rng.uniform(0.1, 0.5)) * lung.recipe.contrast
    lung.thicken(EVERYWHERE, part, value)
    lung.doubt(EVERYWHERE, part)
