"""Signed distances in mm, negative inside, of the few solids that a chest is drawn with."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from phantom.canvas import Canvas, Field, Points, mix

Vector = tuple[float, float, float]


def ellipsoid(
    x: Field, y: Field, z: Field, centre: Vector, radii: Vector, turn: float = 0.0
) -> Field:
    """An ellipsoid turned by `turn` radians about z; the distance is first order."""
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    dx, dy, dz = x - np.float32(centre[0]), y - np.float32(centre[1]), z - np.float32(centre[2])
    u = (cos * dx + sin * dy) / np.float32(radii[0])
    v = (cos * dy - sin * dx) / np.float32(radii[1])
    w = dz / np.float32(radii[2])
    q = np.sqrt(u * u + v * v + w * w)
    slope = np.sqrt((u / radii[0]) ** 2 + (v / radii[1]) ** 2 + (w / radii[2]) ** 2) + 1e-6
    return np.asarray((q - 1) * q / slope, dtype=np.float32)


def slab(x: Field, y: Field, z: Field, start: Vector, end: Vector, half: Vector) -> Field:
    """A board along the line from `start` to `end`, `half` as wide (x), deep (y) and overlong."""
    along = np.clip((z - start[2]) / (end[2] - start[2]), 0, 1)
    parts = (
        np.abs(x - start[0] - along * (end[0] - start[0])) - half[0],
        np.abs(y - start[1] - along * (end[1] - start[1])) - half[1],
        np.abs(z - (start[2] + end[2]) / 2) - abs(end[2] - start[2]) / 2 - half[2],
    )
    return np.asarray(np.maximum(np.maximum(*parts[:2]), parts[2]).astype(np.float32))


def capsule(x: Field, y: Field, z: Field, start: Vector, end: Vector, radius: float) -> Field:
    """A tube with round ends."""
    axis = np.subtract(end, start)
    length2 = max(float(axis @ axis), 1e-6)
    dx, dy, dz = (c - np.float32(s) for c, s in zip((x, y, z), start, strict=True))
    along = np.clip((dx * axis[0] + dy * axis[1] + dz * axis[2]) / length2, 0, 1)
    along = along.astype(np.float32)
    gap = (
        (dx - along * np.float32(axis[0])) ** 2
        + (dy - along * np.float32(axis[1])) ** 2
        + (dz - along * np.float32(axis[2])) ** 2
    )
    return np.asarray(np.sqrt(gap) - np.float32(radius), dtype=np.float32)


def tube(x: Field, y: Field, z: Field, path: Points, radius: float) -> Field:
    """A bent tube: the union of the capsules between consecutive points."""
    distance = capsule(x, y, z, vector(path[0]), vector(path[1]), radius)
    for start, end in pairwise(path[1:]):
        np.minimum(distance, capsule(x, y, z, vector(start), vector(end), radius), out=distance)
    return distance


def draw_ellipsoid(
    hu: Field,
    canvas: Canvas,
    centre: Vector,
    radii: Vector,
    value: float,
    turn: float = 0.0,
) -> None:
    """Mix an ellipsoid of one tissue into the image."""
    box = canvas.box(np.array([centre]), max(radii) + canvas.edge)
    if box is not None:
        x, y, z = canvas.x[box], canvas.y[box], canvas.z[box]
        mix(hu[box], canvas.soft(ellipsoid(x, y, z, centre, radii, turn)), value)


def draw_tube(hu: Field, canvas: Canvas, path: Points, radius: float, value: float) -> None:
    """Mix a bent tube of one tissue into the image."""
    for start, end in pairwise(path):
        box = canvas.box(np.stack([start, end]), radius + canvas.edge)
        if box is not None:
            x, y, z = canvas.x[box], canvas.y[box], canvas.z[box]
            distance = capsule(x, y, z, vector(start), vector(end), radius)
            mix(hu[box], canvas.soft(distance), value)


def vector(point: Points) -> Vector:
    return float(point[0]), float(point[1]), float(point[2])
