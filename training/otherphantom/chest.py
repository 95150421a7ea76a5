"""What lies within the rib cage: lungs, mediastinum, great vessels, airways."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.otherphantom.frame import Frame, lay
from training.otherphantom.noise import fractal
from training.otherphantom.outlines import Outline, by_hand, ovals, within, wobbled
from training.otherphantom.patient import Body, Patient, Volume
from training.otherphantom.vessels import along, calibres, grow, stamp

CARINA = 0.6
HILUM = 0.5
"""Levels of the body."""


@dataclass(frozen=True)
class Chest:
    """How far (mm) each voxel lies inside either lung, and inside the airways' lumen."""

    left: Volume
    right: Volume
    between: Volume
    airway: Volume


def chest_of(
    body: Body, patient: Patient, frame: Frame, above: Volume, rng: np.random.Generator
) -> Chest:
    """`above` is the distance from the diaphragm."""
    between = within(_between(rng), body, patient.scale)
    airway = _stamped(body, _airways(patient, rng))
    sides = []
    for sign in (1.0, -1.0):
        sac = within(_sac(sign, rng), body, patient.scale)
        inside = np.minimum(np.minimum(sac, frame.cage - 1.5), np.minimum(above, -between))
        inside = np.minimum(inside, np.float32(sign) * body.x + 14)
        sides.append(np.minimum(inside, -airway - 1.2))
    return Chest(sides[0], sides[1], between, airway)


def _sac(sign: float, rng: np.random.Generator) -> Outline:
    levels = (-0.6, 0.0, 0.35, 0.65, 0.82, 0.93, 0.99, 1.03)
    sizes = [(68, 90), (70, 94), (68, 94), (58, 84), (43, 64), (29, 42), (15, 22), (0.5, 0.5)]
    centres = [(sign * c, y) for c, y in _SAC]
    return wobbled(ovals(levels, [(float(a), float(b)) for a, b in sizes], centres, 2.3), rng, 0.03)


_SAC = (
    *((60.0, 2.0), (60.0, 2.0), (60.0, 2.0), (55.0, 4.0)),
    *((48.0, 8.0), (42.0, 12.0), (40.0, 14.0), (40.0, 14.0)),
)


def _between(rng: np.random.Generator) -> Outline:
    """Heart, vessels, spine and what holds them, as one outline; every 30 degrees a radius."""
    levels = (-0.5, 0.0, 0.22, 0.42, 0.56, 0.72, 0.9, 1.2)
    points = [
        [58, 36, 42, 92, 42, 34, 40, 46, 60, 110, 96, 84],
        [66, 36, 42, 92, 42, 33, 42, 50, 62, 110, 100, 90],
        [62, 36, 41, 92, 41, 32, 43, 50, 58, 110, 96, 86],
        [47, 36, 41, 92, 40, 33, 45, 47, 48, 108, 74, 60],
        [44, 38, 42, 92, 40, 33, 41, 38, 38, 104, 46, 44],
        [36, 37, 44, 90, 38, 28, 28, 28, 30, 100, 36, 34],
        [28, 28, 38, 88, 38, 28, 27, 28, 34, 96, 36, 30],
        [30, 30, 40, 88, 40, 30, 28, 30, 36, 90, 36, 30],
    ]
    jitter = rng.normal(1, 0.05, len(points[0]))
    jitter[3] = jitter[9] = 1.0
    varied = [[p * j for p, j in zip(row, jitter, strict=True)] for row in points]
    return wobbled(by_hand(levels, varied, [(0.0, 4.0)] * 8), rng, 0.02)


def lay_mediastinum(
    hu: Volume, body: Body, patient: Patient, frame: Frame, chest: Chest, rng: np.random.Generator
) -> None:
    """Fat with strands, the heart, vessels full of blood, trachea and oesophagus."""
    uneven = fractal(rng, body.shape, body.spacing, 22, octaves=3)
    lay(hu, body.cover(frame.cage), -70 + 60 * np.clip(uneven, -0.5, 2))
    s, blood = patient.scale, 42 + patient.contrast
    heart = np.minimum(chest.between - 3, (0.46 - body.level) * 90)
    heart = np.minimum(heart, 32 * s - body.y)
    lay(hu, body.cover(heart), 45.0 + 0.45 * patient.contrast)
    chambers = heart - 9 + 7 * uneven
    lay(hu, body.cover(chambers), blood)
    lay(hu, body.cover(_stamped(body, _great_vessels(patient, rng))), blood)
    gullet = _tube(patient, [(4, 34, -0.6), (6, 34, 0.3), (4, 30, 1.2)], 7.0)
    lay(hu, body.cover(_stamped(body, [gullet])), 35.0)
    lay(hu, body.cover(chest.airway + 1.6), 25.0)
    lay(hu, body.cover(chest.airway), -995.0)


Tube = tuple[NDArray[np.float64], NDArray[np.float64]]


def _tube(patient: Patient, points: Sequence[tuple[float, float, float]], *radii: float) -> Tube:
    """Control points (x, y in mm at scale 1, level) as (z, y, x) in mm, with radii."""
    s = patient.scale
    line = np.array([(level * patient.height, y * s, x * s) for x, y, level in points])
    along_it = np.interp(np.linspace(0, 1, len(line)), np.linspace(0, 1, len(radii)), radii)
    return along(line, along_it * s)


def _airways(patient: Patient, rng: np.random.Generator) -> list[Tube]:
    r = float(rng.uniform(7.5, 10))
    off = float(rng.normal(-2, 2))
    fork = (off, 14.0, CARINA)
    return [
        _tube(patient, [(0, 2, 1.4), (off, 6, 0.95), (off, 12, 0.75), fork], r),
        _tube(patient, [fork, (24, 14, CARINA - 0.08), (38, 12, HILUM - 0.02)], 0.75 * r, 0.55 * r),
        _tube(patient, [fork, (-18, 14, CARINA - 0.1), (-34, 12, HILUM - 0.06)], 0.8 * r, 0.6 * r),
    ]


def _great_vessels(patient: Patient, rng: np.random.Generator) -> list[Tube]:
    a = float(rng.uniform(12, 16))
    arch = [(-12, -26, 0.3), (-15, -26, 0.5), (-8, -16, 0.68), (8, 2, 0.74), (22, 26, 0.69)]
    lung = [(8, -26, 0.36), (10, -22, 0.5), (22, -8, 0.56), (40, 8, 0.54)]
    return [
        _tube(patient, [*arch, (26, 40, 0.58), (22, 42, 0.2), (8, 42, -0.6)], a, a, 0.8 * a),
        _tube(patient, lung, 13, 11),
        _tube(patient, [(10, -22, 0.5), (-12, -8, 0.53), (-38, 4, 0.5)], 12, 10),
        _tube(patient, [(-26, -14, 0.4), (-24, -14, 0.7), (-18, -20, 1.0)], 9, 7),
        _tube(patient, [(2, 6, 0.42), (34, 12, 0.42)], 9, 7),
        _tube(patient, [(2, 6, 0.42), (-34, 10, 0.42)], 9, 7),
        _tube(patient, [(6, -6, 0.74), (12, -6, 1.3)], 5),
        _tube(patient, [(-6, -12, 0.74), (-16, -4, 1.3)], 6),
    ]


def _stamped(body: Body, tubes: list[Tube]) -> Volume:
    margin = np.full(body.x.shape, -20, np.float32)
    for places, radii in tubes:
        stamp(margin, _voxels(places, body), radii, body.spacing)
    return margin


def _voxels(places: NDArray[np.float64], body: Body) -> NDArray[np.float64]:
    """From mm in the body to voxels; the bending is small, so the straight grid does."""
    middle = [n // 2 for n in body.x.shape]
    lines = (body.z[:, middle[1], middle[2]], body.y[middle[0], :, middle[2]])
    axes = [np.maximum.accumulate(a) for a in (*lines, body.x[middle[0], middle[1]])]
    columns = [np.interp(places[:, i], a, np.arange(len(a))) for i, a in enumerate(axes)]
    ends = [(places[:, i] < a[0]) | (places[:, i] > a[-1]) for i, a in enumerate(axes)]
    found = np.stack(columns, axis=1)
    found[np.any(ends, axis=0)] = -1e6
    return found


def branches(
    body: Body, patient: Patient, lung: NDArray[np.bool_], sign: float, rng: np.random.Generator
) -> Volume:
    """Arteries and veins of one lung: the mm that each voxel lies inside of one."""
    margin = np.full(lung.shape, -20, np.float32)
    tissue = np.argwhere(lung)
    if len(tissue) < 500:
        return margin
    s, steps = patient.scale, np.array(body.spacing)
    for height, y, count, reach in ((HILUM, 8.0, 1100, 8.5), (HILUM - 0.07, 12.0, 700, 9.5)):
        places = np.array([[height * patient.height, y * s, sign * 38 * s]])
        root = _voxels(places, body)[0] * steps
        if (root < 0).any():
            continue
        targets = tissue[rng.choice(len(tissue), count)] * steps + rng.uniform(-1, 1, (count, 3))
        nodes, parents = grow(root, targets, reach)
        radii = calibres(parents, 0.72)
        middles = (nodes + nodes[parents]) / 2
        both = np.concatenate([nodes, middles]) / steps
        stamp(margin, both, np.concatenate([radii, radii]), body.spacing)
    return margin
