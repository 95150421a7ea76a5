"""Tells a series with lost slices from one that was never even: the step between slices."""

import numpy as np

from services.reader.geometry import Floats
from services.reader.header import number
from services.reader.stacks import Stack
from services.reader.tolerance import Tolerance


def step(stack: Stack, tolerance: Tolerance) -> float:
    """The distance in mm at which slices were meant to be; 0 where nothing tells.

    The usual gap, unless only the smallest gap or the slice thickness fits every gap a whole
    number of times: a series with many slices lost.
    """
    geometry = stack.geometry
    apart = geometry.gaps[geometry.gaps >= tolerance.position] if geometry else np.empty(0)
    if not apart.size:
        return 0.0
    usual = float(np.median(apart))
    candidates = (usual, float(apart.min()), number(stack.header, "SliceThickness") or 0.0)
    fitting = (
        size
        for size in candidates
        if size > 4 * tolerance.position and unevenness(apart, size) <= tolerance.position
    )
    return next(fitting, usual)


def unevenness(gaps: Floats, size: float) -> float:
    """The largest deviation of a gap from a whole number of steps, in mm."""
    if not size or not gaps.size:
        return 0.0
    return float(np.abs(gaps - np.round(gaps / size) * size).max())


def lost(gaps: Floats, size: float) -> int:
    """How many slices are missing between those that came."""
    steps = np.round(gaps / size) if size else np.zeros(0)
    return int((steps[steps > 1] - 1).sum())
