"""How well two masks agree: volumes, overlap, and the distance of their surfaces."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Mask = NDArray[Any]
Vector = tuple[float, float, float]

TOLERANCE_MM = 2.0
"""Surfaces nearer to each other than this agree, or than the shortest side of a voxel where that is
longer: faces of such voxels coincide or lie farther apart than this."""


def dice(found: Mask, truth: Mask) -> float:
    """2 |A ∩ B| / (|A| + |B|); 1 when both are empty."""
    total = int(np.count_nonzero(found)) + int(np.count_nonzero(truth))
    both = int(np.count_nonzero(np.logical_and(found, truth)))
    return 2 * both / total if total else 1.0


def surface_dice(found: Mask, truth: Mask, spacing: Vector) -> float:
    """The share of both surfaces that lies within the tolerance (`TOLERANCE_MM`) of the other one.

    Nikolov et al. 2018 (arXiv:1809.04430), with the faces between voxels as surface elements,
    each weighed by its area. `spacing` is (x, y, z) in mm. 1 when both are empty, 0 when one is.
    """
    (first, first_area), (second, second_area) = (_faces(m, spacing) for m in (found, truth))
    if not len(first) or not len(second):
        return float(len(first) == len(second))
    tolerance = max(TOLERANCE_MM, min(spacing))
    near = _area_near(first, first_area, second, tolerance)
    near += _area_near(second, second_area, first, tolerance)
    return near / float(first_area.sum() + second_area.sum())


def _faces(mask: Mask, spacing: Vector) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (n, 3) in mm, as (z, y, x), and areas in mm² of the faces round a mask."""
    steps = np.array(spacing[::-1])
    # What touches the image's border ends there.
    inside = np.pad(np.asarray(mask) > 0, 1).astype(np.int8)
    centres, areas = [], []
    for axis in range(3):
        found = np.argwhere(np.diff(inside, axis=axis)).astype(np.float64)
        found[:, axis] += 0.5
        centres.append(found * steps)
        areas.append(np.full(len(found), steps.prod() / steps[axis]))
    return np.concatenate(centres), np.concatenate(areas)


def _area_near(
    places: NDArray[np.float64],
    areas: NDArray[np.float64],
    others: NDArray[np.float64],
    tolerance: float,
) -> float:
    # A bound just past the tolerance spares the search for what is far away.
    distance, _ = cKDTree(others).query(places, distance_upper_bound=tolerance * 1.001 + 1e-6)
    return float(areas[distance <= tolerance + 1e-9].sum())
