"""Closed curves in polar form, slice by slice, and which voxels they hold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

from training.otherphantom.patient import Body, Volume

ANGLES = 720


@dataclass(frozen=True)
class Outline:
    """Radii (mm) of a curve round a centre, given at some levels of the body.

    Angles run from the patient's left over the back and the right to the front.
    """

    levels: tuple[float, ...]
    radii: NDArray[np.float64]
    """(levels, angles), evenly spaced round the whole circle."""
    centres: NDArray[np.float64]
    """(levels, 2): x and y in mm."""


def by_hand(
    levels: tuple[float, ...], points: list[list[float]], centres: list[tuple[float, float]]
) -> Outline:
    """Through control points: each level's radii at even steps round the circle."""
    radii = np.array(points, float)
    turns = np.linspace(0, 1, radii.shape[1] + 1)
    closed = np.concatenate([radii, radii[:, :1]], axis=1)
    curve = CubicSpline(turns, closed, axis=1, bc_type="periodic")
    return Outline(levels, curve(np.arange(ANGLES) / ANGLES), np.array(centres, float))


def ovals(
    levels: tuple[float, ...],
    sizes: list[tuple[float, float]],
    centres: list[tuple[float, float]],
    corner: float,
) -> Outline:
    """Rounded rectangles of given half widths and half depths."""
    turn = np.arange(ANGLES) / ANGLES * 2 * np.pi
    half = np.array(sizes, float)
    u = np.abs(np.cos(turn))[None] / half[:, :1]
    v = np.abs(np.sin(turn))[None] / half[:, 1:]
    radii = (u**corner + v**corner) ** (-1 / corner)
    return Outline(levels, radii, np.array(centres, float))


def wobbled(outline: Outline, rng: np.random.Generator, share: float) -> Outline:
    """The same with low harmonics added, alike at neighbouring levels."""
    turn = np.arange(ANGLES) / ANGLES * 2 * np.pi
    factor = np.ones_like(outline.radii)
    rise = np.linspace(0, 1, len(outline.levels))[:, None]
    for order in (2, 3, 4, 5):
        phase = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.6) * rise
        factor += rng.normal(0, share / order) * np.cos(order * turn + phase)
    return Outline(outline.levels, outline.radii * factor, outline.centres)


def within(outline: Outline, body: Body, scale: float = 1.0) -> Volume:
    """How far (mm) each voxel lies inside the curve of its level; negative outside of it."""
    levels = np.array(outline.levels)
    steps = np.linspace(levels[0], levels[-1], 96)
    table = PchipInterpolator(levels, outline.radii)(steps).astype(np.float32) * np.float32(scale)
    centres = PchipInterpolator(levels, outline.centres)(steps).astype(np.float32)
    row = (body.level - np.float32(levels[0])) * np.float32(95 / (levels[-1] - levels[0]))
    row = np.clip(row, 0, 95)
    low = np.minimum(row.astype(np.int32), 94)
    share = row - low
    cx = _mixed(centres[:, 0], low, share) * np.float32(scale)
    cy = _mixed(centres[:, 1], low, share) * np.float32(scale)
    dx, dy = body.x - cx, body.y - cy
    angle = np.arctan2(dy, dx) * np.float32(ANGLES / (2 * np.pi))
    column = np.rint(angle).astype(np.int32) % ANGLES
    flat = table.ravel()
    index = low * ANGLES + column
    radius = flat[index] + share * (flat[index + ANGLES] - flat[index])
    return np.asarray(radius - np.hypot(dx, dy), dtype=np.float32)


def _mixed(values: NDArray[np.float32], low: NDArray[np.int32], share: Volume) -> Volume:
    return np.asarray(values[low] + share * (values[low + 1] - values[low]), dtype=np.float32)
