"""Voxels with the coordinates of the drawn patient: where tissue is mixed in, edges softened.

Everything is drawn in the patient's own frame (mm; x to the left, y to the back, z to the head,
z = 0 at the top of the right dome of the diaphragm). Voxels are mapped into that frame through a
turn and a smooth warp, so that no two patients have the same outline though the formulas are few.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""A scalar over voxels (z, y, x) or over points (n,)."""
Points = NDArray[np.float64]
"""Points (n, 3) as x, y, z in mm."""
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Warp:
    """A turn about z, a shift and a few products of sines: smooth, and cheap on a grid."""

    roll: float
    shift: tuple[float, float, float]
    amplitudes: NDArray[np.float32]
    """(modes, 3) in mm, for x, y, z."""
    waves: NDArray[np.float32]
    """(modes, 3) in 1/mm."""
    phases: NDArray[np.float32]
    bend: tuple[float, float] = (0.0, 0.0)
    """How far the chest is bent forward (1/mm), away from which level (mm)."""

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        roll: float,
        shift: tuple[float, float, float],
        bend: tuple[float, float] = (0.0, 0.0),
    ) -> Warp:
        lengths = np.array([260.0, 190.0, 140.0, 100.0, 75.0, 55.0])
        waves = 2 * np.pi / lengths[:, None] * rng.uniform(0.7, 1.3, (6, 3))
        sizes = rng.normal(0.0, 1.0, (6, 3)) * lengths[:, None] * 0.014
        phases = rng.uniform(0, 2 * np.pi, (6, 3))
        return cls(
            roll,
            shift,
            sizes.astype(np.float32),
            waves.astype(np.float32),
            phases.astype(np.float32),
            bend,
        )

    def __call__(self, x: Field, y: Field, z: Field) -> tuple[Field, Field, Field]:
        """Scanner coordinates in mm to the patient's; the three broadcast against each other."""
        dx, dy, dz = x - self.shift[0], y - self.shift[1], z - self.shift[2]
        cos, sin = np.float32(np.cos(self.roll)), np.float32(np.sin(self.roll))
        out = [cos * dx + sin * dy + 0 * dz, cos * dy - sin * dx + 0 * dz, dz + 0 * dx + 0 * dy]
        for size, wave, phase in zip(self.amplitudes, self.waves, self.phases, strict=True):
            plane = np.sin(wave[1] * dy + phase[1]) * np.sin(wave[0] * dx + phase[0])
            mode = np.sin(wave[2] * dz + phase[2]) * plane
            for axis in range(3):
                out[axis] += size[axis] * mode
        bend, level = self.bend
        if bend:
            out[1] += np.float32(bend) * (dz - np.float32(level)) ** 2
        return out[0], out[1], out[2]

    def inverse(self, points: Points) -> Points:
        """Patient's coordinates to scanner coordinates, to well under a millimetre."""
        guess = points + np.asarray(self.shift)
        for _ in range(6):
            x, y, z = guess.astype(np.float32).T
            guess = guess + (points - np.stack(self(x, y, z), axis=1))
        return np.asarray(guess)


@dataclass(frozen=True)
class Canvas:
    """The voxel grid and, for each voxel, where in the patient it lies."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    warp: Warp
    x: Field
    y: Field
    z: Field
    nodes: tuple[Field, Field, Field]
    """The patient's x, y, z on a coarse grid of nodes, 5 to 8 mm apart."""

    @classmethod
    def over(
        cls, shape: tuple[int, int, int], spacing: tuple[float, float, float], warp: Warp
    ) -> Canvas:
        steps = [_step(pitch) for pitch in spacing]
        z, y, x = (
            _nodes(axis.ravel(), step).reshape([-1 if size > 1 else 1 for size in axis.shape])
            for axis, step in zip(axes(shape, spacing), steps, strict=True)
        )
        nodes = warp(x, y, z)
        matrices = [_lines(n, step) for n, step in zip(shape, steps, strict=True)]
        fine_x, fine_y, fine_z = (_stretch(node, matrices) for node in nodes)
        return cls(shape, spacing, warp, fine_x, fine_y, fine_z, nodes)

    def smoothly(self, solid: Callable[[Field, Field, Field], Field]) -> Field:
        """A distance from (x, y, z) that is reckoned at the nodes and interpolated between them.

        Much cheaper than at each voxel, and exact to a fraction of a millimetre where the surface
        bends no more than a centimetre's sphere does.
        """
        steps = [_step(pitch) for pitch in self.spacing]
        matrices = [_lines(n, step) for n, step in zip(self.shape, steps, strict=True)]
        return _stretch(np.asarray(solid(*self.nodes), dtype=np.float32), matrices)

    @property
    def edge(self) -> float:
        """How wide a boundary is blurred by the size of a voxel, mm."""
        return max(0.9, *self.spacing[1:])

    def voxels(self, points: Points) -> Points:
        """Fractional indices (n, 3) as z, y, x of points in the patient."""
        scanner = self.warp.inverse(points)[:, ::-1]
        middle = (np.asarray(self.shape) - 1) / 2
        return np.asarray(scanner / np.asarray(self.spacing) + middle)

    def box(self, points: Points, margin: float) -> Box | None:
        """The voxels within `margin` mm of the points' hull; None when none is in the image."""
        return self.around(self.voxels(points), margin)

    def around(self, index: Points, margin: float) -> Box | None:
        """The same for points that are given as fractional indices (n, 3)."""
        reach = margin / np.asarray(self.spacing) + 1
        low = np.maximum(np.floor(index.min(axis=0) - reach), 0).astype(int)
        high = np.minimum(np.ceil(index.max(axis=0) + reach) + 1, self.shape).astype(int)
        if np.any(low >= high):
            return None
        return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])

    def soft(self, distance: Field) -> Field:
        """Share of each voxel that lies inside a surface, from the signed distance in mm."""
        share = np.float32(0.5) - distance * np.float32(1 / self.edge)
        return np.clip(share, 0, 1, out=share)


def axes(
    shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> tuple[Field, Field, Field]:
    """Broadcastable scanner coordinates (z, y, x) in mm, 0 in the middle of the image."""
    z, y, x = (
        ((np.arange(n) - (n - 1) / 2) * step).astype(np.float32)
        for n, step in zip(shape, spacing, strict=True)
    )
    return z[:, None, None], y[None, :, None], x[None, None, :]


def mix(hu: Field, share: Field, value: float | np.floating[Any] | Field) -> None:
    """Replace `share` of each voxel by a tissue of `value` HU, in place."""
    hu += share * (value - hu)


def smooth_noise(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    pitch: float,
) -> Field:
    """Cubic B-spline noise of unit variance whose clumps are about `pitch` mm apart."""
    splines = [_splines(n, step / pitch) for n, step in zip(shape, spacing, strict=True)]
    knots = rng.standard_normal([matrix.shape[1] for matrix in splines], dtype=np.float32)
    # The B-spline weights average neighbouring knots, which costs this much of the deviation.
    return _stretch(knots * np.float32(0.69**-3), splines)


def _stretch(values: Field, matrices: list[Field]) -> Field:
    """Interpolate (z, y, x) along each axis with weights (voxels, nodes)."""
    along_z, along_y, along_x = (matrix.T.copy() for matrix in matrices)
    flat = _product(values.reshape(len(values), -1).T, along_z)
    columns = flat.reshape(*values.shape[1:], -1).transpose(2, 1, 0)
    rows = _product(columns, along_y).transpose(0, 2, 1)
    return _product(rows, along_x)


def _product(rows: Field, matrix: Field) -> Field:
    """`rows @ matrix` in pieces so small that linear algebra keeps to this one thread.

    Phantoms are drawn by one process a core; threads that wait for each other would cost each of
    them more than the product itself.
    """
    count, width = matrix.shape
    flat = np.ascontiguousarray(rows).reshape(-1, count)
    out = np.empty((len(flat), width), np.float32)
    piece = max(1, 250_000 // (count * width))
    for start in range(0, len(flat), piece):
        np.matmul(flat[start : start + piece], matrix, out=out[start : start + piece])
    return out.reshape(*rows.shape[:-1], width)


def _step(spacing: float) -> int:
    """Voxels from node to node."""
    return max(1, round(6.0 / spacing - 0.2))


def _nodes(positions: Field, step: int) -> Field:
    """Positions of the nodes that enclose those of the voxels."""
    count = -(-(len(positions) - 1) // step) + 1
    pitch = float(positions[1] - positions[0]) if len(positions) > 1 else 1.0
    return np.asarray(positions[0] + np.arange(count) * step * pitch, dtype=np.float32)


def _lines(count: int, step: int) -> Field:
    """Weights (count, nodes) that interpolate linearly between nodes `step` voxels apart."""
    nodes = -(-(count - 1) // step) + 1
    distance = np.abs(np.arange(count)[:, None] / step - np.arange(nodes))
    return np.asarray(np.clip(1 - distance, 0, None), dtype=np.float32)


def _splines(count: int, step: float) -> Field:
    """Weights (count, knots) of the cubic B-splines at `count` positions `step` knots apart."""
    position = np.arange(count) * step
    distance = np.abs(position[:, None] + 1 - np.arange(int(np.ceil(position[-1])) + 4))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.asarray(np.where(distance < 1, near, far).astype(np.float32))
