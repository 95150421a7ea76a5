"""Vessels that grow towards the tissue they supply, and how tubes are stamped into a volume."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Volume = NDArray[np.float32]
Points = NDArray[np.float64]

STEP = 5.0
"""Length of one piece of a branch, mm."""


def grow(root: Points, targets: Points, reach: float) -> tuple[Points, NDArray[np.intp]]:
    """Space colonisation (Runions et al. 2007): nodes (n, 3) and the parent of each.

    Each target draws the nearest node by one step at a time, until a node is within `reach` mm.
    """
    nodes, parents = [np.asarray(root, float)], [0]
    left = targets
    for _ in range(90):
        if not len(left):
            break
        tree = cKDTree(np.array(nodes))
        distance, nearest = tree.query(left)
        left, nearest = left[distance > reach], nearest[distance > reach]
        grown = 0
        for node in np.unique(nearest):
            pull = left[nearest == node] - nodes[node]
            pull /= np.linalg.norm(pull, axis=1, keepdims=True)
            step = pull.mean(axis=0)
            length = float(np.linalg.norm(step))
            place = nodes[node] + step * (STEP / max(length, 1e-6))
            if length > 0.05 and tree.query(place)[0] > 0.5 * STEP:
                nodes.append(place)
                parents.append(int(node))
                grown += 1
        if not grown:
            break
    return np.array(nodes), np.array(parents)


def calibres(parents: NDArray[np.intp], thinnest: float, power: float = 2.7) -> Points:
    """Radii (mm) from the tips to the root: powers of the branches' radii add up (Murray)."""
    carried = np.zeros(len(parents))
    for node in range(len(parents) - 1, 0, -1):
        if carried[node] == 0:
            carried[node] = thinnest**power
        carried[parents[node]] += carried[node]
    carried[0] = max(carried[0], thinnest**power)
    return np.asarray(carried ** (1 / power))


def stamp(
    margin: Volume, places: Points, radii: Points, spacing: tuple[float, float, float]
) -> None:
    """Put balls into `margin`, the mm that a voxel lies inside of any; places in voxels."""
    steps = np.array(spacing)
    for place, radius in zip(places, radii, strict=True):
        reach = (radius + 3) / steps
        low = np.maximum(np.floor(place - reach).astype(int), 0)
        high = np.minimum(np.ceil(place + reach).astype(int) + 1, margin.shape)
        if (low >= high).any():
            continue
        z, y, x = (
            ((np.arange(a, b) - p) * s) ** 2
            for a, b, p, s in zip(low, high, place, steps, strict=True)
        )
        box = margin[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        distance = np.sqrt(z[:, None, None] + y[None, :, None] + x[None, None, :])
        np.maximum(box, radius - distance, out=box, casting="unsafe")


def along(points: Points, radii: Points, step: float = 1.5) -> tuple[Points, Points]:
    """Places and radii close together on a line through control points."""
    lengths = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    at = np.arange(0, lengths[-1], step)
    places = np.stack([np.interp(at, lengths, points[:, axis]) for axis in range(3)], axis=1)
    return places, np.interp(at, lengths, radii)
