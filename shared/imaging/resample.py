"""From a CT's grid to the grid a model wants, and back, by SimpleITK.

A grid is given in (x, y, z), as ITK does; arrays are (z, y, x).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations, product
from typing import Literal, cast

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from shared.imaging.volume import Matrix, Vector, Volume

Size = tuple[int, int, int]
Box = tuple[slice, slice, slice]
"""Voxels of an array: slices of z, y and x."""
Sampling = Literal["averaged", "linear", "area"]

_SLAB = 4_000_000
_AXES = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}


@dataclass(frozen=True)
class Grid:
    """Where voxels lie: size, spacing (mm), origin (centre of the first voxel), direction."""

    size: Size
    spacing: Vector
    origin: Vector
    direction: Matrix

    @property
    def axes(self) -> NDArray[np.float64]:
        """3×3; the columns are the unit vectors of x, y and z in LPS."""
        return np.asarray(self.direction, dtype=float).reshape(3, 3)

    def point(self, index: NDArray[np.float64]) -> Vector:
        """The position of a (fractional) index (x, y, z), in mm."""
        position = np.asarray(self.origin) + self.axes @ (index * np.asarray(self.spacing))
        return cast(Vector, tuple(position.tolist()))


def grid_of(volume: Volume) -> Grid:
    """The grid that a volume's voxels lie on."""
    z, y, x = volume.array.shape
    return Grid((x, y, z), volume.spacing, volume.origin, volume.direction)


def same_grid(one: Volume, other: Volume) -> bool:
    """Whether voxel for voxel lies at the same place, within a hundredth of a millimetre."""
    return one.array.shape == other.array.shape and apart_mm(one, other) <= 0.01


def apart_mm(one: Volume, other: Volume) -> float:
    """How far voxels of one index lie apart at most, of grids with as many: at a corner."""
    a, b = grid_of(one), grid_of(other)
    # A voxel past the last one, as a single slice has a thickness too.
    corners = np.array(list(product(*((0.0, n) for n in a.size))))
    return max(float(np.linalg.norm(np.subtract(a.point(c), b.point(c)))) for c in corners)


def oriented(volume: Volume, letters: str) -> Volume:
    """The same voxels (a view) with axes permuted and flipped to run nearest to e.g. "LPS".

    A scan that is stored the other way round is then the same to whatever follows.
    """
    wanted = np.zeros((3, 3))
    for axis, letter in enumerate(letters):
        patient, sign = _AXES[letter]
        wanted[patient, axis] = sign
    return _turned(volume, wanted)


def oriented_as(volume: Volume, other: Volume) -> Volume:
    """The same voxels (a view) with axes permuted and flipped to run nearest to the other's."""
    return _turned(volume, grid_of(other).axes)


def _turned(volume: Volume, wanted: NDArray[np.float64]) -> Volume:
    """By unit vectors, the columns of `wanted`, that axes are to run nearest to."""
    grid = grid_of(volume)
    along = wanted.T @ grid.axes
    # All three at once, as at 45 degrees one axis is nearest to two.
    order = max(
        permutations(range(3)), key=lambda each: sum(np.abs(along[range(3), each]).tolist())
    )
    signs = [1 if along[axis, own] > 0 else -1 for axis, own in enumerate(order)]
    first = np.zeros(3)
    for axis, sign in zip(order, signs, strict=True):
        first[axis] = 0 if sign > 0 else grid.size[axis] - 1
    view = volume.array.transpose([2 - axis for axis in reversed(order)])
    return Volume(
        view[tuple(slice(None, None, sign) for sign in reversed(signs))],
        cast(Vector, tuple(grid.spacing[axis] for axis in order)),
        grid.point(first),
        tuple((grid.axes[:, order] * signs).ravel().tolist()),
    )


def at_spacing(grid: Grid, spacing: Vector) -> Grid:
    """A grid over the same extent, to half a voxel, that begins at the same edge."""
    size = (
        max(1, round(n * s / w)) for n, s, w in zip(grid.size, grid.spacing, spacing, strict=True)
    )
    return _regrid(grid, cast(Size, tuple(size)), spacing)


def at_spacing_from_centre(grid: Grid, spacing: Vector) -> Grid:
    """A grid that begins at the same voxel's centre and ends, to half a voxel, at the last one's.

    The convention of MONAI's `Spacingd`, also for what lies halfway, which is the commonest case:
    an even count of 2.5 mm slices at 5 mm. Its voxels, not its steps, are rounded to even.
    """
    steps = ((n - 1) * s / w for n, s, w in zip(grid.size, grid.spacing, spacing, strict=True))
    # Halfway is halfway, whatever of it the last digits of a mean gap tell.
    size = tuple(round(round(step, 6) + 1) for step in steps)
    return replace(grid, size=cast(Size, size), spacing=spacing)


def at_size(grid: Grid, size: Size) -> Grid:
    """A grid over exactly the same extent with that many voxels."""
    spacing = (n * s / m for n, s, m in zip(grid.size, grid.spacing, size, strict=True))
    return _regrid(grid, size, cast(Vector, tuple(spacing)))


def _regrid(grid: Grid, size: Size, spacing: Vector) -> Grid:
    ratio = np.asarray(spacing) / np.asarray(grid.spacing)
    return replace(grid, size=size, spacing=spacing, origin=grid.point((ratio - 1) / 2))


def cropped(grid: Grid, box: Box) -> Grid:
    """The part of a grid that a box of its array covers."""
    first = np.array([part.start for part in reversed(box)], dtype=float)
    size = cast(Size, tuple(part.stop - part.start for part in reversed(box)))
    return replace(grid, size=size, origin=grid.point(first))


def bounding_box(mask: NDArray[np.bool_], margin: tuple[int, int, int] = (0, 0, 0)) -> Box | None:
    """The box of the true voxels, `margin` (z, y, x) wider where the array goes on; or None."""
    found = []
    for axis, extra in enumerate(margin):
        others = tuple(other for other in range(3) if other != axis)
        where = np.flatnonzero(mask.any(axis=others))
        if not where.size:
            return None
        found.append(
            slice(max(0, int(where[0]) - extra), min(mask.shape[axis], int(where[-1]) + 1 + extra))
        )
    return cast(Box, tuple(found))


def resampled(volume: Volume, grid: Grid, sampling: Sampling) -> NDArray[np.float32]:
    """The volume (z, y, x) on another grid of the same orientation.

    "averaged": linear between means of as many voxels as fit into one of `grid`; "linear":
    between single voxels; "area": each voxel the mean of all that it touches, for a grid over
    the volume's own extent.
    """
    if sampling == "area":
        return _pooled(volume.array, grid.size)
    if sampling == "linear":
        return sampled(image_on(volume.array, grid_of(volume)), grid)
    return sampled(averaged(volume, grid), grid)


def _pooled(array: NDArray[np.generic], size: Size) -> NDArray[np.float32]:
    for axis, count in enumerate(reversed(size)):
        ends = [(i * array.shape[axis], (i + 1) * array.shape[axis]) for i in range(count)]
        parts = [
            np.take(array, range(first // count, -(-last // count)), axis)
            .astype(np.float64)
            .mean(axis)
            for first, last in ends
        ]
        array = np.stack(parts, axis).astype(np.float32)
    return cast(NDArray[np.float32], array)


def averaged(volume: Volume, grid: Grid) -> sitk.Image:
    """The volume with as many of its voxels averaged as fit into one of `grid`.

    A sample then stands for all that lies around it, and a sharp kernel's noise does not alias.
    Slab by slab: ITK takes copies, and a volume may be larger than a worker's memory.
    """
    own = grid_of(volume)
    fx, fy, fz = factors = _averaged(own, grid)
    if factors == (1, 1, 1):
        return image_on(volume.array, own)
    x, y, z = (size // factor for size, factor in zip(own.size, factors, strict=True))
    parts = [
        sitk.GetArrayFromImage(sitk.BinShrink(sitk.GetImageFromArray(volume.array[slab]), factors))
        for slab in slabs((slice(0, z * fz), slice(0, own.size[1]), slice(0, own.size[0])), fz)
    ]
    spacing = np.multiply(own.spacing, (fx, fy, fz))
    return image_on(np.concatenate(parts), _regrid(own, (x, y, z), cast(Vector, tuple(spacing))))


def sampled(image: sitk.Image, grid: Grid) -> NDArray[np.float32]:
    """The image (z, y, x) on another grid, linear; past the border its nearest voxel."""
    found: NDArray[np.float32] = sitk.GetArrayFromImage(
        sitk.Resample(
            _reaching(image, grid),
            grid.size,
            sitk.Transform(),
            sitk.sitkLinear,
            grid.origin,
            grid.spacing,
            grid.direction,
            0.0,
            sitk.sitkFloat32,
            True,
        )
    )
    return found


def _reaching(image: sitk.Image, grid: Grid) -> sitk.Image:
    """The image, continued by its border voxels to where `grid` ends.

    From half a voxel on ITK would take the nearest voxel also along the axes that are inside.
    """
    far = np.asarray(grid.size, dtype=float) - 1
    ends = np.array(
        [image.TransformPhysicalPointToContinuousIndex(grid.point(at)) for at in (0 * far, far)]
    )
    before = -ends.min(axis=0)
    after = ends.max(axis=0) - image.GetSize() + 1
    if max(before.max(), after.max()) < 0.499:
        return image
    widths = [np.ceil(np.clip(each, 0, None)).astype(int).tolist() for each in (before, after)]
    return cast(sitk.Image, sitk.ZeroFluxNeumannPad(image, *widths))


def _averaged(own: Grid, grid: Grid) -> Size:
    """How many voxels fit into one of `grid`, along each axis of their own grid."""
    along = np.abs(own.axes.T @ grid.axes).argmax(axis=1)
    return cast(
        Size,
        tuple(
            int(np.clip(grid.spacing[axis] / spacing + 1e-6, 1, size))
            for axis, spacing, size in zip(along, own.spacing, own.size, strict=True)
        ),
    )


def slabs(box: Box, multiple: int = 1) -> Iterator[Box]:
    """The box in pieces along z of a few megavoxels, each a multiple of slices deep."""
    z, y, x = box
    depth = max(1, _SLAB // max(1, (y.stop - y.start) * (x.stop - x.start) * multiple)) * multiple
    for start in range(z.start, z.stop, depth):
        yield slice(start, min(start + depth, z.stop)), y, x


def image_on(array: NDArray[np.generic], grid: Grid) -> sitk.Image:
    """An array (z, y, x) as an image of ITK on its grid (a copy)."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    return image
