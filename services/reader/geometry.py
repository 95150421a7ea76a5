"""Measures how the planes of a stack lie in the patient: order, gaps, tilt, grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from services.reader.header import integer, number, numbers
from services.reader.planes import Plane
from shared.imaging.volume import Matrix, Vector

Floats = NDArray[np.float64]

AXIAL_UP_TO = 45.0
"""Degrees between normal and long axis: beyond it another axis of the patient is nearer."""


@dataclass(frozen=True)
class Geometry:
    """All lengths in mm, angles in degrees; arrays follow `order`, which ascends the normal."""

    order: tuple[int, ...]
    """Indices of the planes, along the normal (row direction × column direction)."""
    shape: tuple[int, int, int]
    """(z, y, x)."""
    spacing: Vector
    """(x, y, z); z is the mean distance of neighbours, first to last, as ITK reads series."""
    origin: Vector
    direction: Matrix
    gaps: Floats
    """Distances between neighbouring planes along the normal."""
    off_axis: float
    """Between the normal and the patient's long axis."""
    tilt: float
    """Between the normal and the way from plane to plane, or what the header says if more."""
    lateral: float
    """The largest distance by which a plane lies beside the straight line of the others."""
    turned: float
    """The largest angle between a plane's axes and the first one's."""
    stretched: float
    """The largest difference of pixel spacing, in mm at the image's far edge."""

    @property
    def axial(self) -> bool:
        return self.off_axis <= AXIAL_UP_TO


def measure(planes: Sequence[Plane]) -> Geometry | None:
    """None unless every plane has a position, an orientation and a pixel spacing that make sense.

    PS3.3 C.7.6.2: positions are of the centre of the first voxel, in LPS; PixelSpacing is
    (between rows, between columns).
    """
    positions = _gathered(planes, "ImagePositionPatient", 3)
    orientations = _gathered(planes, "ImageOrientationPatient", 6)
    pixel_spacings = _gathered(planes, "PixelSpacing", 2)
    if positions is None or orientations is None or pixel_spacings is None:
        return None
    axes = _axes(orientations[0])
    if axes is None or pixel_spacings.min() <= 0:
        return None
    distances = positions @ axes[2]
    order = np.argsort(distances, kind="stable")
    placed, header = positions[order], planes[0].header
    rows, columns = integer(header, "Rows"), integer(header, "Columns")
    way = _way(placed)
    length = float(np.linalg.norm(placed[-1] - placed[0]))
    mean_gap = length / (len(planes) - 1) if len(planes) > 1 else _thickness(planes[0])
    return Geometry(
        order=tuple(order.tolist()),
        shape=(len(planes), rows, columns),
        spacing=(float(pixel_spacings[0, 1]), float(pixel_spacings[0, 0]), mean_gap),
        origin=cast(Vector, tuple(placed[0].tolist())),
        direction=cast(Matrix, tuple(axes.T.ravel().tolist())),
        gaps=np.diff(distances[order]),
        off_axis=_angle(axes[2], np.array([0.0, 0.0, 1.0])),
        tilt=max(_angle(axes[2], way) if way.any() else 0.0, _declared_tilt(planes)),
        lateral=_off_line(placed, distances[order], way, axes[2]),
        turned=_turned(orientations),
        stretched=float(np.abs(pixel_spacings - pixel_spacings[0]).max() * max(rows, columns)),
    )


def orientation_of(plane: Plane) -> Floats | None:
    """Row, column and normal direction as unit vectors (rows of a 3×3 array), or None."""
    values = numbers(plane.header, "ImageOrientationPatient", 6)
    return _axes(np.array(values)) if values else None


def _gathered(planes: Sequence[Plane], keyword: str, count: int) -> Floats | None:
    found = [numbers(plane.header, keyword, count) for plane in planes]
    return None if not found or None in found else np.array(found)


def _axes(orientation: Floats) -> Floats | None:
    """None unless the two directions are unit vectors at a right angle, within rounding."""
    row, column = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > 0.01 or abs(row @ column) > 0.01:
        return None
    normal = np.cross(row, column)
    return np.stack([row / lengths[0], column / lengths[1], normal / np.linalg.norm(normal)])


def _angle(a: Floats, b: Floats) -> float:
    """The angle between two lines, 0 to 90 degrees; exact for small ones, unlike arccos."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), abs(a @ b))))


def _declared_tilt(planes: Sequence[Plane]) -> float:
    return max(abs(number(plane.header, "GantryDetectorTilt") or 0.0) for plane in planes)


def _thickness(plane: Plane) -> float:
    return number(plane.header, "SliceThickness") or 1.0


def _way(placed: Floats) -> Floats:
    """Where the planes go: the median over half the stack, which a few odd ones don't bend."""
    half = max(len(placed) // 2, 1)
    steps = placed[half:] - placed[:-half]
    return np.median(steps, axis=0) if len(steps) else np.zeros(3)


def _off_line(placed: Floats, distances: Floats, way: Floats, normal: Floats) -> float:
    """How far the planes lie beside the line that most of them are on."""
    ahead = float(way @ normal)
    slope = way / ahead if ahead else normal
    beside = placed - np.outer(distances, slope)
    return float(np.linalg.norm(beside - np.median(beside, axis=0), axis=1).max())


def _turned(orientations: Floats) -> float:
    different = np.unique(orientations, axis=0)
    pairs = ((one, orientations[0]) for one in different)
    return max(max(_angle(a[:3], b[:3]), _angle(a[3:], b[3:])) for a, b in pairs)
