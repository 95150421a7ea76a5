"""What fills the body: wall, mediastinum with heart and vessels, abdomen with gas, airways."""

from __future__ import annotations

from functools import partial

import numpy as np

from phantom.bones import arm_axis, raised_arm
from phantom.canvas import Canvas, Field, Points, mix, smooth_noise
from phantom.recipe import Recipe
from phantom.shapes import draw_ellipsoid, draw_tube, ellipsoid, tube
from phantom.thorax import Build

FAT, MUSCLE, BLOOD, LIVER, AIR = -100.0, 48.0, 42.0, 58.0, -990.0


def draw_wall(hu: Field, canvas: Canvas, recipe: Recipe, body: Build, skin: Field) -> None:
    """Skin, fat and muscle; `skin` is the signed distance to the body's surface."""
    rng = np.random.default_rng([recipe.seed, 4])
    for side in (-1.0, 1.0):
        radius = float(rng.uniform(30, 38)) * recipe.scale
        down = recipe.arms == "down"
        for path in [arm_axis(body, recipe, side) if down else raised_arm(body, recipe, side)]:
            draw_tube(hu, canvas, path, radius + 0.5 * body.fat, FAT)
            draw_tube(hu, canvas, path, radius, MUSCLE)
    texture = smooth_noise(rng, canvas.shape, canvas.spacing, 13.0)
    mix(hu, canvas.soft(skin), 25.0)
    fat = np.float32(FAT) + 9 * texture
    mix(hu, canvas.soft(skin + 2.4), fat)
    muscle = skin + np.float32(body.fat) + np.float32(min(0.12 * body.fat, 2.5)) * texture
    planes = np.clip((texture - np.float32(0.95)) * 2, 0, 0.8)
    mix(hu, canvas.soft(muscle) * (1 - planes), MUSCLE)


def breasts(canvas: Canvas, recipe: Recipe, body: Build, skin: Field) -> Field:
    """The body's surface with breasts added."""
    rng = np.random.default_rng([recipe.seed, 5])
    front = -(body.depth + body.muscle + body.fat) * 0.86
    size = rng.uniform(0.7, 1.35) * recipe.scale
    sag = float(rng.uniform(-6, 30))
    for side in (-1.0, 1.0):
        centre = (side * (74 * recipe.scale + sag), front + 0.6 * sag, body.height * 0.34)
        radii = (60 * size, 36 * size, 58 * size)
        breast = canvas.smoothly(partial(ellipsoid, centre=centre, radii=radii))
        np.minimum(skin, breast, out=skin)
    return skin


def draw_mediastinum(hu: Field, canvas: Canvas, recipe: Recipe, body: Build, inside: Field) -> None:
    """Fat with soft strands, heart and great vessels; `inside` is the chest's share."""
    rng = np.random.default_rng([recipe.seed, 6])
    strands = np.clip(smooth_noise(rng, canvas.shape, canvas.spacing, 9.0) * 0.5 + 0.45, 0, 1)
    mix(hu, inside, np.float32(FAT + 5) + 135 * strands)
    blood = BLOOD + recipe.contrast * float(rng.uniform(0.75, 1.1))
    veins = BLOOD + recipe.contrast * float(rng.uniform(0.4, 1.9))
    centre, radii, turn = body.heart
    draw_ellipsoid(hu, canvas, centre, radii, FAT + 20, turn)
    inner = (radii[0] - 5, radii[1] - 5, radii[2] - 5)
    muscle = MUSCLE + 0.35 * recipe.contrast
    draw_ellipsoid(hu, canvas, centre, inner, muscle, turn)
    for shift, share in ((14.0, 0.48), (-20.0, 0.5)):
        chamber = (centre[0] + shift, centre[1] + 0.3 * shift, centre[2])
        draw_ellipsoid(
            hu, canvas, chamber, (radii[0] * share, radii[1] * 0.62, radii[2] * 0.66), blood, turn
        )
    draw_ellipsoid(hu, canvas, (-20, -14, 0.2 * body.height), (30, 30, 42), veins)
    draw_tube(hu, canvas, body.aorta, body.aorta_radius, blood)
    for path, radius in _vessels(body, recipe.scale):
        draw_tube(hu, canvas, path, radius, veins if radius < 9 else blood)
    for root in body.roots:
        draw_ellipsoid(hu, canvas, root.centre, root.nodes, float(rng.uniform(-60, 60)))
        for stem in root.stems:
            if stem.kind != "bronchus":
                lit = blood if stem.kind == "artery" else veins
                draw_tube(hu, canvas, stem.path, stem.radius, lit)


def _vessels(body: Build, s: float) -> list[tuple[Points, float]]:
    """Pulmonary trunk, caval veins, vessels to head and arms: path and radius."""
    c, h = body.carina, body.height
    trunk = (12 * s, -34 * s, c - 44 * s)
    fork = (13 * s, -12 * s, c - 18 * s)
    paths = [
        ([trunk, fork], 11.5),
        ([(-24 * s, -22 * s, 0.3 * h), (-22 * s, -24 * s, c + 30 * s)], 8.5),
        ([(-22 * s, -24 * s, c + 30 * s), (-34 * s, -14 * s, h + 50)], 6.0),
        ([(-22 * s, -24 * s, c + 30 * s), (30 * s, -24 * s, h * 0.93), (46 * s, -10, h + 40)], 6.0),
        ([(-6 * s, -24 * s, c + 26 * s), (-20 * s, -8 * s, h + 60)], 5.0),
        ([(8 * s, -10 * s, c + 26 * s), (20 * s, -2 * s, h + 60)], 4.5),
        ([(-22, 6.0, 20.0), (-20, 14.0, -160.0)], 11.0),
    ]
    return [(np.array(path, dtype=np.float64), radius * s) for path, radius in paths]


def draw_abdomen(hu: Field, canvas: Canvas, recipe: Recipe, body: Build, inside: Field) -> None:
    """Liver, spleen, stomach with its bubble, colon; `inside` is the abdomen's share."""
    if canvas.z.min() > 12:
        return
    rng = np.random.default_rng([recipe.seed, 7])
    top = max(0, int(np.flatnonzero((canvas.z < 55 + abs(recipe.raised)).any(axis=(1, 2)))[-1])) + 1
    whole, everywhere = hu, inside
    hu, inside = hu[:top], inside[:top]
    x, y, z = canvas.x[:top], canvas.y[:top], canvas.z[:top]
    mix(hu, inside, FAT + _omentum(canvas, recipe, rng, hu.shape))
    edge = x - np.float32(rng.uniform(5, 45)) - 0.45 * (y + 20) * (y < -20) + 0.25 * (z + 40)
    liver = np.maximum(edge * np.float32(0.85), -z - np.float32(rng.uniform(110, 170)))
    mix(
        hu,
        inside * canvas.soft(liver),
        LIVER - 12 + float(rng.normal(0, 9)) + 0.33 * recipe.contrast,
    )
    if rng.random() < 0.5:
        _fill_left(hu, recipe, body, rng, inside * canvas.soft(-edge - 6), (x, y, z))
    _draw_spleen(hu, canvas, recipe, body, rng, inside, (x, y, z))
    _draw_stomach(hu, canvas, recipe, body, rng, inside, (x, y, z))
    _draw_colon(whole, canvas, recipe, rng, everywhere)


def _omentum(
    canvas: Canvas, recipe: Recipe, rng: np.random.Generator, shape: tuple[int, ...]
) -> Field:
    """What vessels and strands add to fat, HU: none in some patients, many in others."""
    z, y, x = shape
    clumps = smooth_noise(rng, (z, y, x), canvas.spacing, float(rng.uniform(4, 9)))
    strands = np.clip(clumps - np.float32(rng.uniform(1.0, 2.6)), 0, 1)
    added = strands * np.float32(110 + 0.4 * recipe.contrast) + np.float32(rng.normal(0, 6))
    return np.asarray(added, dtype=np.float32)


def _fill_left(
    hu: Field,
    recipe: Recipe,
    body: Build,
    rng: np.random.Generator,
    share: Field,
    at: tuple[Field, Field, Field],
) -> None:
    """Spleen behind, full stomach or the omentum's fat before it: up to the left dome."""
    way = np.array([rng.uniform(-0.2, 0.7), rng.uniform(0.4, 1.0), rng.uniform(-0.9, 0.3)])
    along = [np.float32(part) for part in way / np.linalg.norm(way)]
    middle = (rng.uniform(45, 85), rng.uniform(-20, 45), body.dome[0] - rng.uniform(5, 60))
    dx, dy, dz = (axis - np.float32(start) for axis, start in zip(at, middle, strict=True))
    bulge = np.float32(rng.normal(0.0, 0.006)) * (dx * dx + dy * dy + dz * dz)
    behind = along[0] * dx + along[1] * dy + along[2] * dz + bulge
    gap = np.float32(max(0.0, rng.normal(1.0, 3.0)))
    depth = body.dome[0] - at[2] - np.float32(rng.uniform(60, 140))
    spleen = np.clip(0.5 + (behind - gap) / 2, 0, 1) * np.clip(0.5 - depth / 4, 0, 1)
    stomach = np.clip(0.5 - (behind + gap) / 2, 0, 1) * np.clip(0.5 - depth / 4, 0, 1)
    mix(hu, share * spleen, _spleen_hu(recipe, rng))
    if rng.random() < 0.6:
        mix(hu, share * stomach, _meal_hu(rng))


def _draw_spleen(
    hu: Field,
    canvas: Canvas,
    recipe: Recipe,
    body: Build,
    rng: np.random.Generator,
    inside: Field,
    at: tuple[Field, Field, Field],
) -> None:
    size = float(rng.uniform(0.8, 1.35))
    middle = (
        (88 + float(rng.normal(0, 10))) * recipe.scale,
        40 + float(rng.normal(0, 12)),
        body.dome[0] - 52 + float(rng.normal(0, 12)),
    )
    spleen = ellipsoid(*at, middle, (34 * size, 48 * size, 46 * size), float(rng.normal(0.4, 0.25)))
    mix(hu, inside * canvas.soft(spleen), _spleen_hu(recipe, rng))


def _draw_stomach(
    hu: Field,
    canvas: Canvas,
    recipe: Recipe,
    body: Build,
    rng: np.random.Generator,
    inside: Field,
    at: tuple[Field, Field, Field],
) -> None:
    """Its wall, what the patient ate, and above that the bubble of gas."""
    tip = (
        float(rng.uniform(42, 68)),
        float(rng.uniform(-30, 5)),
        body.dome[0] - float(rng.uniform(36, 50)),
    )
    size = float(rng.uniform(0.7, 1.15))
    stomach = ellipsoid(*at, tip, (40 * size, 44 * size, 38 * size))
    mix(hu, inside * canvas.soft(stomach), 40.0)
    mix(hu, inside * canvas.soft(stomach + 4), _meal_hu(rng))
    level = tip[1] + (70 * recipe.gas - 45 + float(rng.uniform(-5, 5))) * size
    mix(hu, inside * canvas.soft(np.maximum(stomach + 4, at[1] - level)), AIR)


def _spleen_hu(recipe: Recipe, rng: np.random.Generator) -> float:
    return 50 + float(rng.uniform(0.2, 0.6)) * recipe.contrast


def _meal_hu(rng: np.random.Generator) -> float:
    """Fluid or food; seldom milk and fat, or contrast agent that was drunk."""
    kind = rng.random()
    if kind < 0.1:
        return float(rng.uniform(-90, 0))
    return float(rng.uniform(90, 400) if kind > 0.9 else rng.uniform(0, 75))


def _draw_colon(
    hu: Field,
    canvas: Canvas,
    recipe: Recipe,
    rng: np.random.Generator,
    inside: Field,
) -> None:
    """Loops of bowel under the left dome, seldom the right: gas, or stool mixed with gas."""
    for number in range(int(rng.integers(2, 10))):
        interposed = recipe.interposed and number < 3
        side = 1.0 if rng.random() < 0.82 and not interposed else -1.0
        back = 20 if side > 0 or interposed else -50
        deep = 18.0 if interposed else float(rng.uniform(10, 130))
        dome = max(side * recipe.raised, 0.0) - (0.0 if interposed else 10.0)
        at = (side * rng.uniform(25, 105), rng.uniform(-80, back), dome - deep)
        radius = float(rng.uniform(12, 28))
        box = canvas.box(np.array([at]), radius * 1.5 + canvas.edge)
        if box is None:
            continue
        stretch = rng.uniform(0.8, 1.4, 3) * radius
        radii = (float(stretch[0]), float(stretch[1]), float(stretch[2]))
        loop = ellipsoid(canvas.x[box], canvas.y[box], canvas.z[box], at, radii)
        filling = AIR if rng.random() < 0.3 + 0.7 * recipe.gas else float(rng.uniform(-600, 30))
        mix(hu[box], inside[box] * canvas.soft(loop), 35.0)
        mix(hu[box], inside[box] * canvas.soft(loop + 3), filling)


def draw_airways(hu: Field, canvas: Canvas, recipe: Recipe, body: Build) -> Field:
    """Trachea, main and lobar bronchi with their walls; returns each voxel's share of lumen."""
    rng = np.random.default_rng([recipe.seed, 8])
    y = float(body.trachea[-1][1])
    stems = [stem for root in body.roots for stem in root.stems if stem.kind == "bronchus"]
    tubes = [(body.trachea, body.trachea_radius), *((stem.path, stem.radius) for stem in stems)]
    lumen = np.zeros(canvas.shape, np.float32)
    for path, width in tubes:
        box = canvas.box(path, width + canvas.edge + 2)
        if box is None:
            continue
        distance = tube(canvas.x[box], canvas.y[box], canvas.z[box], path, width)
        mix(hu[box], canvas.soft(distance - 1.6), 35.0)
        np.maximum(lumen[box], canvas.soft(distance), out=lumen[box])
    oesophagus = np.array([(4.0, y + 17, body.height + 60), (8.0, y + 18, -60.0)])
    draw_tube(hu, canvas, oesophagus, 7.0 * recipe.scale, 38.0)
    if rng.random() < 0.4:
        draw_tube(hu, canvas, oesophagus, float(rng.uniform(1.5, 4.0)), -700.0)
    mix(hu, lumen, AIR)
    return lumen
