"""Metal in the chest wall: pacemakers and ports with what leads from them, wires in the sternum."""

from __future__ import annotations

import numpy as np

from phantom.canvas import Canvas, Field, Points, mix
from phantom.recipe import Recipe
from phantom.shapes import draw_tube, ellipsoid
from phantom.thorax import Build

METAL, LEAD, CATHETER = 3000.0, 2200.0, 500.0


def draw(hu: Field, canvas: Canvas, recipe: Recipe, body: Build) -> Points | None:
    """Mix the recipe's metal into the image; returns where (n, 3) it makes streaks."""
    rng = np.random.default_rng([recipe.seed, 40])
    if recipe.metal == "none":
        return None
    if recipe.metal == "wires":
        return _draw_wires(hu, canvas, body, int(rng.integers(3, 8)))
    side = float(rng.choice([-1.0, 1.0]))
    pacemaker = recipe.metal == "pacemaker"
    front = -(0.78 * body.depth + body.muscle + 0.5 * body.fat)
    at = np.array([side * 78 * recipe.scale, front, body.height * float(rng.uniform(0.66, 0.8))])
    size = (22.0, 4.5, 20.0) if pacemaker else (12.0, 6.0, 12.0)
    box = canvas.box(at[None], 32.0)
    if box is not None:
        x, y, z = canvas.x[box], canvas.y[box], canvas.z[box]
        centre = (float(at[0]), float(at[1]), float(at[2]))
        case = ellipsoid(x, y, z, centre, size, 0.4 * side)
        mix(hu[box], canvas.soft(case), METAL if pacemaker else 1500.0)
    _draw_leads(hu, canvas, body, at, pacemaker)
    return at[None] if pacemaker else None


def _draw_leads(hu: Field, canvas: Canvas, body: Build, at: Points, pacemaker: bool) -> None:
    """From the case below the clavicle, down the superior vena cava, on into the right heart."""
    side, c = float(np.sign(at[0])), body.carina
    path = [at, (side * 60, -0.55 * body.depth, 0.95 * body.height), (-22.0, -24.0, c + 30)]
    path.append((-22.0, -22.0, c - 20))
    if pacemaker:
        (x, y, z), radii, _ = body.heart
        path += [(-20.0, -14.0, 0.25 * body.height), (x + 0.5 * radii[0], y, z - 0.6 * radii[2])]
    draw_tube(hu, canvas, np.array(path), 1.3, LEAD if pacemaker else CATHETER)


def _draw_wires(hu: Field, canvas: Canvas, body: Build, count: int) -> Points:
    """Loops of wire around a sternum that was cut."""
    levels = np.linspace(0.34, 0.88, count) * body.height
    front = -body.depth * (1.0 - 0.26 * np.clip(levels / body.height - 0.4, 0, 1)) - 5
    for y, z in zip(front, levels, strict=True):
        corners = [
            (-13, y - 7, z),
            (13, y - 7, z),
            (13, y + 7, z),
            (-13, y + 7, z),
            (-13, y - 7, z),
        ]
        draw_tube(hu, canvas, np.array(corners, dtype=np.float64), 0.7, LEAD)
    return np.stack([np.zeros(count), front, levels], axis=1)
