"""Ribs, spine, sternum, clavicles, shoulder blades and the bones of lowered arms."""

from __future__ import annotations

import numpy as np

from phantom.canvas import Canvas, Field, mix
from phantom.recipe import Recipe
from phantom.shapes import draw_ellipsoid, draw_tube
from phantom.thorax import Build, spine, spine_axis

MARROW, CORTEX, CARTILAGE = 190.0, 620.0, 105.0


def draw(hu: Field, canvas: Canvas, recipe: Recipe, body: Build, cage: Field) -> None:
    """Mix the skeleton into `hu`; `cage` is the distance to the rib cage's inner surface."""
    rng = np.random.default_rng([recipe.seed, 2])
    strength = float(rng.uniform(0.6, 1.15))
    _ribs(hu, canvas, body, cage, strength, float(rng.uniform(23, 28)))
    _spine(hu, canvas, body, strength, float(rng.uniform(22, 28)))
    _girdle(hu, canvas, recipe, body, strength)


def _ribs(
    hu: Field, canvas: Canvas, body: Build, cage: Field, strength: float, pitch: float
) -> None:
    """Hoops around the cage that fall to the front, of cartilage beside the sternum."""
    x, y, z = canvas.x, canvas.y, canvas.z
    front = np.clip((body.spine_y - y) / np.float32(body.depth + body.spine_y), 0, 1)
    phase = (z + 62 * front**1.3) / np.float32(pitch)
    along = (phase - np.round(phase)) * np.float32(pitch)
    distance = np.hypot(along * np.float32(0.85), cage - 6) - np.float32(5.2)
    core = distance + np.float32(2.2)
    ends = z - np.float32(body.height + 4)
    np.maximum(distance, ends, out=distance)
    midline = np.where(y < 0, np.float32(14), np.float32(20))
    np.maximum(distance, midline - np.abs(x), out=distance)
    cartilage = canvas.soft((y + 0.45 * body.depth) * 0.3) * np.float32(0.95)
    shell = CORTEX * strength + (CARTILAGE - CORTEX * strength) * cartilage
    mix(hu, canvas.soft(distance), shell)
    inner = np.maximum(core, distance + 2)
    mix(hu, canvas.soft(inner), np.float32(MARROW) * (1 - cartilage) + CARTILAGE * cartilage)


def _spine(hu: Field, canvas: Canvas, body: Build, strength: float, pitch: float) -> None:
    """Vertebral bodies and discs, the canal, arch with processes."""
    low, high = canvas.z.min(), canvas.z.max()
    middle = np.array([(0, body.spine_y + 18, low), (0, body.spine_y + 18, high)])
    box = canvas.box(middle, 66)
    if box is None:
        return
    x, y, z, part = canvas.x[box], canvas.y[box], canvas.z[box], hu[box]
    phase = z / np.float32(pitch)
    level = np.abs(phase - np.round(phase)) * np.float32(pitch)
    disc = canvas.soft(level - 3)
    back = y - spine_axis(body, z)
    column = spine(body, x, y, z)
    lamina = np.abs(np.hypot(x, back - 24) - 12.5) - 3.5
    spinous = np.maximum(np.abs(x) - 3.2, np.abs(back - 44) - 14)
    transverse = np.maximum(np.hypot((back - 22 - 0.2 * np.abs(x)), level - 10) - 5, np.abs(x) - 36)
    arch = np.minimum(np.minimum(lamina, np.maximum(spinous, 5 - level)), transverse)
    mix(part, canvas.soft(arch), CORTEX * 0.75 * strength)
    mix(part, canvas.soft(np.hypot(x, back - 24) - 9), 25.0)
    mix(part, canvas.soft(column), CORTEX * 0.8 * strength)
    mix(part, canvas.soft(column + 2.6), MARROW * strength)
    mix(part, canvas.soft(column) * disc, 85.0)


def _girdle(hu: Field, canvas: Canvas, recipe: Recipe, body: Build, strength: float) -> None:
    """Sternum, clavicles and shoulder blades; humerus and forearm where the arms are down."""
    h, s = body.height, recipe.scale
    sternum = [
        (0.0, -body.depth * f - 7, h * t) for f, t in ((0.98, 0.3), (0.92, 0.55), (0.68, 0.92))
    ]
    for shift in (-10.0, 0.0, 10.0):
        path = np.array(sternum) + (shift, 0, 0)
        draw_tube(hu, canvas, path, 6.0 * s, CORTEX * 0.7 * strength)
        draw_tube(hu, canvas, path, 4.2 * s, MARROW * strength)
    lift = 34.0 if recipe.arms == "up" else 6.0
    for side in (-1.0, 1.0):
        outer = (side * (body.width + 12), 6.0, h * 0.93 + lift)
        clavicle = np.array([(side * 22, -body.depth * 0.62, h * 0.93), outer])
        draw_tube(hu, canvas, clavicle, 6.0 * s, CORTEX * strength)
        blade_x, blade_y = body.width * 0.86, body.depth * 0.74 + body.muscle * 0.6
        for step in range(5):
            start = (
                side * (blade_x - 40 + 4 * step),
                blade_y + 10 - step,
                h * (0.55 + 0.09 * step),
            )
            end = (side * (blade_x + 22), blade_y - 34, h * (0.62 + 0.08 * step))
            draw_tube(hu, canvas, np.array([start, end]), 4.6 * s, CORTEX * 0.8 * strength)
        head = (side * (body.width + 30), 4.0, h * 0.92 + lift)
        draw_ellipsoid(hu, canvas, head, (22 * s, 22 * s, 24 * s), 330.0 * strength)
        if recipe.arms == "down":
            arm = arm_axis(body, recipe, side)
            draw_tube(hu, canvas, arm, 11.0 * s, CORTEX * 1.4 * strength)
            draw_tube(hu, canvas, arm, 6.0 * s, 40.0)


def arm_axis(body: Build, recipe: Recipe, side: float) -> Field:
    """Path (2, 3) of a lowered upper arm beside the chest."""
    x = body.width + body.muscle + body.fat + 42 * recipe.scale
    points = [(side * (x - 14), 6.0, body.height * 0.88), (side * (x + 10), 12.0, -220.0)]
    return np.array(points, dtype=np.float32)
