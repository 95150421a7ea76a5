"""The chest's shape: body wall, pleural cavity, diaphragm, mediastinum, and so the lungs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phantom import hila
from phantom.canvas import Field, Points
from phantom.hila import Root
from phantom.recipe import Recipe
from phantom.shapes import Vector, ellipsoid, tube, vector

LEFT, RIGHT = 1, 2
"""Values of the lung mask; the patient's left is where x is positive."""


@dataclass(frozen=True)
class Build:
    """One patient's measures, mm. Signs: x > 0 is the patient's left, y > 0 the back."""

    height: float
    """From the right dome of the diaphragm (z = 0) to the apices."""
    width: float
    """Half the inner width of the rib cage where it is widest."""
    depth: float
    """Half its inner depth."""
    corner: float
    """Exponent of the superellipse: 2 is an ellipse, more is squarer."""
    muscle: float
    fat: float
    spine_y: float
    dome: tuple[float, float]
    """Height of the left and the right dome."""
    drop: float
    """How far the diaphragm falls from its dome to the side wall."""
    peaks: tuple[tuple[float, float], tuple[float, float]]
    """Where (x from the middle, y) the left and the right dome are highest."""
    steep: tuple[float, float]
    """How narrow the left and the right dome are; 1 is usual."""
    inward: tuple[float, float]
    """How far from its top the left and the right dome fall towards the middle, mm: where that is
    little, lung lies between dome and heart."""
    recess: float
    """The deepest level that the lungs reach behind the diaphragm."""
    junction: float
    """Half the width of the mediastinum behind the sternum."""
    middle: float
    """Half the width of the mediastinum at the level of the trachea."""
    heart: tuple[Vector, Vector, float]
    """Centre, radii, turn."""
    aorta: Points
    aorta_radius: float
    trachea: Points
    """From above the image to the carina."""
    trachea_radius: float
    roots: tuple[Root, Root]
    """Of the left and the right lung."""
    shoulder: float

    @property
    def carina(self) -> float:
        """Level of the tracheal bifurcation."""
        return 0.56 * self.height

    @property
    def middle_reach(self) -> float:
        """No part of the mediastinum is farther from the midline than this."""
        (x, _, _), radii, _ = self.heart
        roots = max(float(np.abs(stem.path[:, 0]).max()) for r in self.roots for stem in r.stems)
        return max(x + max(radii), roots + 14, 60.0) + 6.0

    @property
    def hila(self) -> tuple[Vector, Vector]:
        """Left and right root's middle."""
        left, right = self.roots
        return left.centre, right.centre


def build(recipe: Recipe) -> Build:
    """Measure the patient that the seed stands for."""
    rng = np.random.default_rng([recipe.seed, 1])
    s = recipe.scale
    height = rng.uniform(165, 230) * s * recipe.breath
    width, depth = rng.uniform(124, 148) * s, rng.uniform(80, 104) * s * recipe.barrel
    spine_y = depth * rng.uniform(0.70, 0.80)
    carina = 0.56 * height
    size = s * rng.uniform(0.88, 1.2) * recipe.heart
    heart = (
        (rng.uniform(16, 28) * s, -0.36 * depth, rng.uniform(18, 34) * s),
        (60 * size, 44 * size, 54 * size),
        float(rng.uniform(0.35, 0.8)),
    )
    trachea = _trachea(height, spine_y - 38 * s, carina)
    airway = float(np.random.default_rng([recipe.seed, 18]).uniform(7.0, 10.0)) * s
    return Build(
        height=height,
        width=width,
        depth=depth,
        corner=rng.uniform(2.05, 2.6),
        muscle=rng.uniform(12, 22) * s,
        fat=recipe.fat,
        spine_y=spine_y,
        dome=(-rng.uniform(-10, 25) * s + max(recipe.raised, 0.0), max(-recipe.raised, 0.0)),
        drop=rng.uniform(32, 62) * s,
        recess=-rng.uniform(55, 105) * s,
        junction=rng.uniform(2, 12) * s,
        middle=rng.uniform(24, 34) * s,
        heart=heart,
        aorta=_aorta(carina, spine_y, s),
        aorta_radius=rng.uniform(11.5, 16.5) * s,
        trachea=trachea,
        trachea_radius=airway,
        roots=hila.roots(recipe.seed, s, vector(trachea[-1]), airway),
        shoulder=(rng.uniform(38, 62) if recipe.arms == "down" else rng.uniform(12, 40)) * s,
        peaks=(_peak(rng), _peak(rng)),
        steep=(float(rng.uniform(0.9, 1.4)), float(rng.uniform(0.9, 1.25))),
        inward=(float(rng.uniform(50, 130)), float(rng.uniform(80, 130))),
    )


def _peak(rng: np.random.Generator) -> tuple[float, float]:
    return float(rng.normal(62, 7)), float(rng.normal(-16, 9))


def _trachea(height: float, y: float, carina: float) -> Points:
    return np.array([(0.0, y - 14, height + 120), (-1.0, y - 8, height), (2.0, y, carina)])


def _aorta(carina: float, spine_y: float, s: float) -> Points:
    """Root, ascending part, arch over the left main bronchus, descending part."""
    y = spine_y - 22 * s
    return np.array(
        [
            (0, -28 * s, carina - 62 * s),
            (-14 * s, -34 * s, carina - 20 * s),
            (-9 * s, -26 * s, carina + 12 * s),
            (4 * s, -6 * s, carina + 26 * s),
            (19 * s, y - 22 * s, carina + 20 * s),
            (23 * s, y, carina - 4 * s),
            (20 * s, y + 2 * s, carina - 70 * s),
            (8 * s, y, -160 * s),
        ]
    )


def rib_cage(body: Build, x: Field, y: Field, z: Field) -> Field:
    """Signed distance to the inner surface of the rib cage, apices included."""
    up = np.clip(z / np.float32(body.height), 0, 1.3)
    down = np.clip(-z / np.float32(body.height), 0, 1)
    shrink = 1 - 0.46 * up**2.4 - 0.10 * down
    a, b = body.width * shrink, body.depth * (1 - 0.44 * up**2.2 - 0.04 * down)
    wall = superellipse(x, y - 14 * up, a, b, body.corner)
    side = (np.abs(x) - 46) / 74
    front = (y - 16) / 66
    cap = z - np.float32(body.height) * (1 - 0.30 * (side**2 + front**2))
    tilt = 0.60 * body.height * np.sqrt((side / 74) ** 2 + (front / 66) ** 2)
    return np.maximum(wall, cap / np.sqrt(1 + tilt**2)).astype(np.float32)


def superellipse(x: Field, y: Field, a: Field, b: Field, power: float) -> Field:
    """First-order distance to |x/a|^p + |y/b|^p = 1."""
    u, v = np.abs(x / a) + 1e-4, np.abs(y / b) + 1e-4
    # exp and log have fast forms for float32 where the power has none.
    up, vp = np.exp(np.log(u) * power), np.exp(np.log(v) * power)
    total = up + vp
    q = np.exp(np.log(total) / power)
    slope = q / total * np.sqrt((up / (u * a)) ** 2 + (vp / (v * b)) ** 2)
    return np.asarray((q - 1) / slope, dtype=np.float32)


def diaphragm(body: Build, x: Field, y: Field, z: Field) -> Field:
    """Signed distance above the diaphragm: positive in the abdomen, negative in the chest."""
    left = x > 0
    (left_x, left_y), (right_x, right_y) = body.peaks
    steep = np.where(left, np.float32(body.steep[0]), np.float32(body.steep[1]))
    inward = np.where(left, np.float32(body.inward[0]), np.float32(body.inward[1]))
    dx = np.abs(x) - np.where(left, np.float32(left_x), np.float32(right_x))
    deep = y - np.where(left, np.float32(left_y), np.float32(right_y))
    reach = np.where(dx > 0, np.float32(66), inward) / steep
    dy = steep * deep / np.where(deep > 0, np.float32(76), np.float32(84))
    u = dx / reach
    top = np.where(left, np.float32(body.dome[0]), np.float32(body.dome[1]))
    level = top - body.drop * (u * u + dy * dy)
    slope = 2 * body.drop * np.sqrt((u / reach) ** 2 + (steep * dy / 78) ** 2)
    surface = (level - z) / np.sqrt(1 + slope**2)
    return np.asarray(np.maximum(surface, np.float32(body.recess) - z).astype(np.float32))


def mediastinum(body: Build, x: Field, y: Field, z: Field) -> Field:
    """Signed distance to everything between the lungs: septum, heart, great vessels, spine."""
    v = y / np.float32(body.depth)
    up = np.clip(z / np.float32(body.height), 0, 1.2)
    wide = body.junction + (body.middle - body.junction) * np.exp(-(((v - 0.1) / 0.48) ** 2))
    half = wide * (0.72 + 0.5 * up) + 10 * np.clip(v - 0.55, 0, 1)
    septum = (np.abs(x - 5 * (1 - up)) - half) * np.float32(0.9)
    parts = [
        ellipsoid(x, y, z, *body.heart[:2], turn=body.heart[2]),
        ellipsoid(x, y, z, (-22, -12, 0.2 * body.height), (34, 34, 46)),
        tube(x, y, z, body.aorta, body.aorta_radius + 1.5),
        spine(body, x, y, z) - 3,
    ]
    for root in body.roots:
        a, b, c = (radius + root.sheath for radius in root.nodes)
        parts.append(ellipsoid(x, y, z, root.centre, (a, b, c)))
        parts += [tube(x, y, z, stem.path, stem.radius + root.sheath) for stem in root.stems]
    for part in parts:
        np.minimum(septum, part, out=septum)
    return np.asarray(septum, dtype=np.float32)


def spine(body: Build, x: Field, y: Field, z: Field) -> Field:
    """Signed distance to the column of vertebral bodies."""
    return np.asarray(np.hypot(x, (y - spine_axis(body, z)) * 1.2) - 19, dtype=np.float32)


def spine_axis(body: Build, z: Field) -> Field:
    """Where (y) the spine's axis runs: bent back in the chest's middle, forward at its top."""
    t = np.clip(z / np.float32(body.height), -0.6, 1.4)
    return np.asarray(body.spine_y - 14 * (t - 0.45) ** 2 + 5, dtype=np.float32)


def oblique_fissure(body: Build, y: Field, z: Field) -> Field:
    """Signed distance above the oblique fissure: positive in the upper lobe."""
    slope = 0.42 * body.height / body.depth
    gap = z - np.float32(0.34 * body.height) - np.float32(slope) * y
    return np.asarray(gap / np.sqrt(1 + slope**2), dtype=np.float32)


def minor_fissure(body: Build, x: Field, y: Field, z: Field) -> Field:
    """Signed distance above the right lung's minor fissure; far from it where there is none."""
    gap = z - np.float32(0.44 * body.height) - np.float32(0.12) * (x + 70)
    behind = np.clip(-oblique_fissure(body, y, z), 0, None)
    return np.asarray(gap + np.sign(gap) * (behind + 100 * (x > 0)), dtype=np.float32)


def lungs(body: Build, x: Field, y: Field, z: Field) -> Field:
    """Signed distance to the surface of both lungs; the sign of x says which it is."""
    inside = np.maximum(rib_cage(body, x, y, z), diaphragm(body, x, y, z))
    return np.asarray(np.maximum(inside, -mediastinum(body, x, y, z)))


def wall(body: Build, x: Field, y: Field, z: Field) -> Field:
    """Signed distance to the skin, without arms and breasts."""
    t = z / np.float32(body.height)
    shoulders = 1 / (1 + np.exp(-(t - 0.86) * 14))
    neck = 1 / (1 + np.exp(-(z - body.height - 52) / 9))
    thick = body.muscle + body.fat
    a = body.width + thick + body.shoulder * shoulders
    a = a + (62 - a) * neck
    b = body.depth + thick + 4 - 0.16 * body.depth * shoulders
    b = b + (64 - b) * neck
    middle = 9 + 6 * shoulders
    return superellipse(x, y - middle, a, b, 2.0 + 0.8 * (body.corner - 2))
