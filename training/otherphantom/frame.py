"""Body wall, bones and abdomen: everything round the lungs but the mediastinum."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.otherphantom.noise import fractal
from training.otherphantom.outlines import ovals, within, wobbled
from training.otherphantom.patient import Body, Patient, Volume

SPINE_Y = 62.0
"""Where the vertebral bodies lie behind the body's axis, mm at scale 1."""


@dataclass(frozen=True)
class Frame:
    """How far (mm) each voxel lies within the skin and within the rib cage."""

    skin: Volume
    cage: Volume


def frame_of(body: Body, patient: Patient, rng: np.random.Generator) -> Frame:
    """The two outlines that everything else is placed by."""
    corner = float(rng.uniform(2.1, 2.6))
    levels = (-0.6, 0.0, 0.35, 0.65, 0.85, 0.97, 1.06, 1.3)
    inner = [(118, 84), (126, 90), (125, 90), (110, 82), (84, 66), (62, 52), (48, 42), (38, 36)]
    centres = [(0.0, 0.0)] * 5 + [(0.0, 6.0), (0.0, 8.0), (0.0, 8.0)]
    cage = wobbled(ovals(levels, _floats(inner), centres, corner), rng, 0.03)
    thick = patient.fat / patient.scale
    wall = [(26, 24), (24, 24), (30, 26), (48, 28), (84, 34), (106, 34), (98, 36), (42, 40)]
    outer = [(a + da + thick, b + db + thick) for (a, b), (da, db) in zip(inner, wall, strict=True)]
    skin = wobbled(ovals(levels, outer, [(0.0, 4.0)] * 8, 2.2), rng, 0.015)
    return Frame(within(skin, body, patient.scale), within(cage, body, patient.scale))


def _floats(pairs: list[tuple[int, int]]) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in pairs]


def lay(hu: Volume, share: NDArray[np.floating], value: float | NDArray[np.floating]) -> None:
    """Fill a share of each voxel."""
    hu += share * (np.asarray(value, dtype=np.float32) - hu)


def lay_wall(
    hu: Volume, body: Body, patient: Patient, frame: Frame, rng: np.random.Generator
) -> None:
    """Skin, fat, muscles with fat between them."""
    uneven = fractal(rng, body.shape, body.spacing, 60, octaves=3)
    lay(hu, body.cover(frame.skin), -10.0)
    lay(hu, body.cover(frame.skin - 2), -105.0 + 6 * uneven)
    beneath = frame.skin - np.float32(patient.fat) * (1 + np.float32(0.25) * uneven)
    strands = np.clip(1.5 * (np.abs(uneven) - 0.12), 0, 1)
    lay(hu, body.cover(beneath), -70 + 122 * strands)
    lay(hu, body.cover(frame.cage + 11) * body.cover(beneath), -10 + 50 * strands)


def lay_bones(
    hu: Volume, body: Body, patient: Patient, frame: Frame, rng: np.random.Generator
) -> None:
    """Ribs and sternum in the shell round the cage, shoulder blades behind it, the spine."""
    s = patient.scale
    around = np.arctan2(np.abs(body.x), body.y - np.float32(8))
    """0 at the back, pi in front, both sides alike."""
    fall = (72 * s * (1 - np.cos(around)) / 2).astype(np.float32)
    phase = (body.z + fall) / np.float32(patient.rib_pitch) + np.where(body.x > 0, 0.06, 0)
    across = (phase - np.rint(phase)) * np.float32(patient.rib_pitch)
    out = -frame.cage
    inside = 1 - np.hypot(across / np.float32(6.5 * s), (out - 5) / 4.5)
    place = (around > 0.32) & (around < 2.75) & (body.level < 1.04)
    gristle = around > 2.3
    rib = body.cover(4 * inside) * place
    lay(hu, rib, np.where(gristle, 95.0, 620.0))
    lay(hu, body.cover(4 * (inside - 0.42)) * place, np.where(gristle, 80.0, 230.0))
    plate = np.minimum(5 - np.abs(out - 6), 19 * s - np.abs(body.x))
    plate = np.where((around > 2.5) & (body.level > 0.22) & (body.level < 0.95), plate, -9)
    lay(hu, body.cover(plate), 330.0)
    lay(hu, body.cover(plate - 2.5), 130.0)
    blade = 2.2 - np.abs(out - 21 - 6 * np.sin(3 * around))
    blade = np.where(
        (around > 0.55) & (around < 1.5) & (np.abs(body.level - 0.76) < 0.3), blade, -9
    )
    lay(hu, body.cover(np.minimum(blade, frame.skin - 4)), 520.0)
    _lay_spine(hu, body, patient, rng)


def _lay_spine(hu: Volume, body: Body, patient: Patient, rng: np.random.Generator) -> None:
    s = np.float32(patient.scale)
    y = body.y - np.float32(SPINE_Y) * s + 12 * (body.level - np.float32(0.45)) ** 2
    pitch = np.float32(patient.rib_pitch)
    ring = np.abs(body.z / pitch - np.rint(body.z / pitch)) * 2
    """0 in the middle of a vertebra, 1 in the middle of a disc."""
    waist = np.float32(18) * s * (1 - 0.08 * (1 - ring))
    column = waist - np.hypot(body.x, 1.15 * y)
    disc = ring > 0.8
    lay(hu, body.cover(column), np.where(disc, 90.0, 480.0))
    spongy = 150 + 40 * fractal(rng, body.shape, body.spacing, 12, 2)
    lay(hu, body.cover(column - 3), np.where(disc, 75.0, spongy))
    back = y - 26 * s
    arch = np.maximum(15 * s - np.hypot(body.x, back), 4.5 - np.abs(body.x) + 0 * back)
    arch = np.where((back > -14 * s) & (back < 38 * s), arch, -9)
    process = np.where((ring < 0.6) & (np.abs(body.x) < 38 * s), 5.5 - np.abs(back - 2), -9)
    lay(hu, body.cover(np.maximum(arch, process)), 380.0)
    lay(hu, body.cover(9 * s - np.hypot(body.x, back)), 20.0)


def dome(body: Body, patient: Patient, rng: np.random.Generator) -> Volume:
    """How far (mm) each voxel lies above the diaphragm."""
    s = np.float32(patient.scale)
    left = 1 / (1 + np.exp(-body.x / 9))
    u = (np.abs(body.x) - 58 * s) / (72 * s)
    v = (body.y + 14 * s) / (80 * s)
    bowl = (u * u * np.where(u < 0, 0.5, 1.0) + v * v * np.where(v > 0, 1.5, 0.8)) ** np.float32(
        0.9
    )
    top = left * np.float32(patient.left_dome)
    waves = 3 * fractal(rng, body.shape, body.spacing, 80, octaves=2)
    level = np.maximum(top - np.float32(patient.drop) * bowl + waves, -95 * s)
    steep = np.sqrt(1 + (2 * patient.drop * np.hypot(u, v) / (76 * s)) ** 2)
    return np.asarray((body.z - level) / steep, dtype=np.float32)


def lay_abdomen(
    hu: Volume, body: Body, patient: Patient, below: Volume, rng: np.random.Generator
) -> None:
    """Fat, liver on the right, stomach with gas and spleen on the left; `below` is a share."""
    s = patient.scale
    lay(hu, below, -95 + 12 * fractal(rng, body.shape, body.spacing, 30, 3))
    glow = 0.35 * patient.contrast
    liver = np.minimum(34 * s - body.x - 0.25 * body.y, 116 * s - np.hypot(body.x, 1.25 * body.y))
    lay(hu, below * body.cover(liver), rng.uniform(45, 65) + glow)
    spleen = 40 * s - np.hypot(np.hypot(body.x - 78 * s, body.y - 38 * s), 0.6 * (body.z + 45))
    lay(hu, below * body.cover(spleen), 48 + 1.3 * glow)
    stomach = 46 * s - np.hypot(np.hypot(body.x - 56 * s, body.y + 22 * s), 0.7 * (body.z + 40))
    lay(hu, below * body.cover(stomach), rng.uniform(5, 40))
    gas = np.minimum(stomach - 3, -26 * s - body.y + rng.uniform(-20, 15))
    lay(hu, below * body.cover(gas), -960.0)
