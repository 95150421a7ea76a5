"""Ribs, spine, sternum, clavicles, shoulder blades and the bones of lowered arms."""

from __future__ import annotations

import numpy as np

from phantom.canvas import Canvas, Field, Points, mix
from phantom.recipe import Recipe
from phantom.shapes import draw_ellipsoid, draw_tube, slab
from phantom.thorax import Build, spine, spine_axis

MARROW, CORTEX, CARTILAGE = 190.0, 620.0, 105.0


def draw(hu: Field, canvas: Canvas, recipe: Recipe, body: Build, cage: Field) -> None:
    """Mix the skeleton into `hu`; `cage` is the distance to the rib cage's inner surface."""
    rng = np.random.default_rng([recipe.seed, 2])
    strength = float(rng.uniform(0.6, 1.15))
    _ribs(hu, canvas, body, cage, strength, float(rng.uniform(23, 28)))
    _spine(hu, canvas, body, strength, float(rng.uniform(22, 28)))
    _sternum(hu, canvas, body, strength)
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


def _sternum(hu: Field, canvas: Canvas, body: Build, strength: float) -> None:
    """Manubrium and body of the sternum: two boards that lean back to the neck."""
    h, d = body.height, body.depth
    low, mid, top = (
        (0.0, -d - 4, 0.28 * h),
        (0.0, -d * 0.93 - 5, 0.66 * h),
        (0.0, -0.70 * d, 0.92 * h),
    )
    for start, end, wide in ((low, mid, 14.0), (mid, top, 22.0)):
        box = canvas.box(np.array([start, end]), wide + 8)
        if box is None:
            continue
        board = slab(canvas.x[box], canvas.y[box], canvas.z[box], start, end, (wide, 5.0, -1.0))
        mix(hu[box], canvas.soft(board), CORTEX * 0.6 * strength)
        mix(hu[box], canvas.soft(board + 2), MARROW * 0.8 * strength)


def _girdle(hu: Field, canvas: Canvas, recipe: Recipe, body: Build, strength: float) -> None:
    """Clavicles, shoulder blades, heads of the humeri; the shafts where the arms are down."""
    s = recipe.scale
    lift = 34.0 if recipe.arms == "up" else 6.0
    for side in (-1.0, 1.0):
        for path in _shoulder(body, side, lift):
            draw_tube(hu, canvas, path, 5.2 * s, CORTEX * 0.85 * strength)
        head = (side * (body.width + 30), 4.0, body.height * 0.92 + lift)
        draw_ellipsoid(hu, canvas, head, (22 * s, 22 * s, 24 * s), 330.0 * strength)
        down = recipe.arms == "down"
        arm = arm_axis(body, recipe, side) if down else raised_arm(body, recipe, side)
        draw_tube(hu, canvas, arm, 11.0 * s, CORTEX * 1.4 * strength)
        draw_tube(hu, canvas, arm, 6.0 * s, 40.0)
    skull = (0.0, -6.0, body.height + 165.0)
    draw_ellipsoid(hu, canvas, skull, (74 * s, 92 * s, 98 * s), CORTEX * 1.5 * strength)
    draw_ellipsoid(hu, canvas, skull, (68 * s, 86 * s, 92 * s), 36.0)


def _shoulder(body: Build, side: float, lift: float) -> list[Points]:
    """A clavicle, and the ribs of a fan that stands for the blade."""
    h, x, y = body.height, body.width * 0.86, body.depth * 0.74 + body.muscle * 0.6
    sternal = (side * 22, -body.depth * 0.62, h * 0.93)
    paths = [np.array([sternal, (side * (body.width + 12), 6.0, h * 0.93 + lift)])]
    for step in range(5):
        medial = (side * (x - 40 + 4 * step), y + 10 - step, h * (0.55 + 0.09 * step))
        lateral = (side * (x + 22), y - 34, h * (0.62 + 0.08 * step))
        paths.append(np.array([medial, lateral]))
    return paths


def arm_axis(body: Build, recipe: Recipe, side: float) -> Points:
    """Path (2, 3) of a lowered upper arm beside the chest."""
    x = body.width + body.muscle + body.fat + 42 * recipe.scale
    points = [(side * (x - 14), 6.0, body.height * 0.88), (side * (x + 10), 12.0, -220.0)]
    return np.array(points)


def raised_arm(body: Build, recipe: Recipe, side: float) -> Points:
    """Path (3, 3) of an upper arm that is laid beside the head, its shoulder drawn up."""
    h, s = body.height, recipe.scale
    points = [
        (side * (body.width + 22), 4.0, 0.92 * h + 26),
        (side * (108 * s + 18), -4.0, h + 74),
        (side * 112 * s, -22.0, h + 260),
    ]
    return np.array(points)
