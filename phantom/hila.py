"""Roots of the lungs: bronchi, pulmonary arteries and veins between the midline and the lobes.

Left: a long main bronchus under the artery's arch, which descends behind it. Right: a short one
behind the artery, which descends beside the bronchus intermedius. Veins come from the left atrium,
before the bronchi to the upper lobes and beneath them to the lower ones (Standring, Gray's
Anatomy, 42nd ed., ch. 54).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from phantom.canvas import Points
from phantom.shapes import Vector

Lobe = Literal["upper", "middle", "lower"]
Vessel = Literal["bronchus", "artery", "vein"]


@dataclass(frozen=True)
class Stem:
    """A bent tube: path (n, 3) and radius in mm."""

    kind: Vessel
    path: Points
    radius: float


@dataclass(frozen=True)
class Door:
    """Where bronchus, artery and vein of a lobe enter it: (3,) each, mm."""

    lobe: Lobe
    bronchus: Points
    artery: Points
    vein: Points


@dataclass(frozen=True)
class Root:
    """One lung's root, mm."""

    centre: Vector
    nodes: Vector
    """Radii of the lymph nodes and the fat around its centre."""
    sheath: float
    """How thick the tissue around each stem is."""
    stems: tuple[Stem, ...]
    doors: tuple[Door, ...]


@dataclass(frozen=True)
class _Plan:
    """One side's anatomy; points are mm from the carina: outwards, to the back, to the head."""

    points: dict[str, Vector]
    stems: tuple[tuple[Vessel, float, str], ...]
    """Kind, radius (mm; of bronchi, the share of the trachea's) and the points that it joins."""
    doors: tuple[tuple[Lobe, str], ...]
    """The points where a lobe's bronchus, artery and vein enter."""


_LEFT = _Plan(
    points={
        "carina": (0, 0, 0),
        "bend": (20, -1, -15),
        "main": (38, -1, -26),
        "upper": (50, -10, -20),
        "lower": (44, 6, -41),
        "fork": (12, -38, -16),
        "rise": (28, -22, -6),
        "arch": (42, -2, -6),
        "turn": (48, 9, -24),
        "upper artery": (52, -4, -12),
        "lower artery": (50, 10, -39),
        "atrium": (12, -33, -48),
        "upper vein": (38, -22, -30),
        "lower vein": (30, -5, -60),
    },
    stems=(
        ("bronchus", 0.72, "carina, bend, main"),
        ("bronchus", 0.50, "main, upper"),
        ("bronchus", 0.52, "main, lower"),
        ("artery", 9.5, "fork, rise, arch"),
        ("artery", 7.5, "arch, turn, lower artery"),
        ("artery", 4.5, "arch, upper artery"),
        ("vein", 6.0, "atrium, upper vein"),
        ("vein", 6.0, "atrium, lower vein"),
    ),
    doors=(
        ("upper", "upper, upper artery, upper vein"),
        ("lower", "lower, lower artery, lower vein"),
    ),
)
_RIGHT = _Plan(
    points={
        "carina": (0, 0, 0),
        "main": (20, -1, -13),
        "upper": (38, -2, -6),
        "intermediate": (26, 0, -40),
        "middle": (36, -10, -46),
        "lower": (31, 4, -53),
        "fork": (-12, -38, -16),
        "before": (14, -20, -22),
        "turn": (34, -14, -20),
        "beside": (38, -8, -40),
        "upper artery": (37, -12, -4),
        "middle artery": (41, -13, -41),
        "lower artery": (39, 0, -47),
        "atrium": (6, -35, -50),
        "upper vein": (33, -27, -34),
        "lower vein": (28, -4, -66),
    },
    stems=(
        ("bronchus", 0.80, "carina, main"),
        ("bronchus", 0.50, "main, upper"),
        ("bronchus", 0.62, "main, intermediate"),
        ("bronchus", 0.36, "intermediate, middle"),
        ("bronchus", 0.50, "intermediate, lower"),
        ("artery", 9.0, "fork, before, turn"),
        ("artery", 5.5, "before, upper artery"),
        ("artery", 7.5, "turn, beside, lower artery"),
        ("vein", 6.0, "atrium, upper vein"),
        ("vein", 6.0, "atrium, lower vein"),
    ),
    doors=(
        ("upper", "upper, upper artery, upper vein"),
        ("middle", "middle, middle artery, upper vein"),
        ("lower", "lower, lower artery, lower vein"),
    ),
)


def roots(seed: int, scale: float, carina: Vector, airway: float) -> tuple[Root, Root]:
    """The roots of the left and of the right lung; `airway` is the trachea's radius in mm."""
    rng = np.random.default_rng([seed, 17])
    calibre = float(rng.uniform(0.75, 1.15)) * scale
    return (
        _root(_LEFT, 1.0, rng, carina, scale, airway, calibre),
        _root(_RIGHT, -1.0, rng, carina, scale, airway, calibre),
    )


def _root(
    plan: _Plan,
    side: float,
    rng: np.random.Generator,
    carina: Vector,
    scale: float,
    airway: float,
    calibre: float,
) -> Root:
    at = {
        name: np.array(carina) + (np.array(point) + rng.normal(0, 2.0, 3)) * (side, 1, 1) * scale
        for name, point in plan.points.items()
    }
    at["carina"] = np.array(carina, dtype=np.float64)
    stems = tuple(
        Stem(kind, _path(at, names), radius * (airway if kind == "bronchus" else calibre))
        for kind, radius, names in plan.stems
    )
    doors = tuple(Door(lobe, *_path(at, names)) for lobe, names in plan.doors)
    x, y, z = np.mean([at["main"], at["turn"]], axis=0)
    a, b, c = rng.uniform(5, 11, 3) * scale
    nodes = (float(a), float(b), float(1.5 * c))
    return Root((float(x), float(y), float(z)), nodes, float(rng.uniform(0.5, 4.0)), stems, doors)


def _path(at: dict[str, Points], names: str) -> Points:
    return np.stack([at[name] for name in names.split(", ")])
