"""A CT volume or a mask on its grid, and its file: MetaImage, one file, uncompressed."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

Vector = tuple[float, float, float]
Matrix = tuple[float, ...]

MEDIA_TYPE = "application/x-metaimage"
IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

_TYPES: dict[str, np.dtype[Any]] = {
    "MET_UCHAR": np.dtype("u1"),
    "MET_SHORT": np.dtype("<i2"),
    "MET_USHORT": np.dtype("<u2"),
    "MET_INT": np.dtype("<i4"),
    "MET_FLOAT": np.dtype("<f4"),
}
_NAMES = {dtype: name for name, dtype in _TYPES.items()}


@dataclass(frozen=True)
class Volume:
    """`array` is (z, y, x); spacing (x, y, z) in mm; origin and direction in DICOM's LPS.

    `direction` is the row-major 3×3 matrix whose columns are the directions of x, y and z.
    """

    array: NDArray[np.generic]
    spacing: Vector
    origin: Vector = (0.0, 0.0, 0.0)
    direction: Matrix = IDENTITY

    @property
    def voxel_ml(self) -> float:
        """The volume of one voxel in ml."""
        return self.spacing[0] * self.spacing[1] * self.spacing[2] / 1000

    def like(self, array: NDArray[np.generic]) -> "Volume":
        """Another array on the same grid."""
        return replace(self, array=array)


def encode_header(volume: Volume) -> bytes:
    """The MetaImage header; the voxels follow it in (z, y, x) order, little-endian."""
    z, y, x = volume.array.shape

    def row(values: tuple[float, ...]) -> str:
        return " ".join(repr(float(value)) for value in values)

    # MetaImage lists the direction of each axis in turn, which is the matrix by columns.
    axes = tuple(np.asarray(volume.direction).reshape(3, 3).T.ravel().tolist())
    return (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        f"CompressedData = False\nTransformMatrix = {row(axes)}\nOffset = {row(volume.origin)}\n"
        f"CenterOfRotation = 0 0 0\nElementSpacing = {row(volume.spacing)}\n"
        f"DimSize = {x} {y} {z}\nElementType = {_NAMES[volume.array.dtype]}\n"
        "ElementDataFile = LOCAL\n"
    ).encode("ascii")


def encode(volume: Volume) -> bytes:
    """The whole file. Raises `KeyError` for a type of voxel that MetaImage has no name for."""
    return encode_header(volume) + np.ascontiguousarray(volume.array).tobytes()


def read(path: Path) -> Volume:
    """Map a file that `encode` wrote; the array is read-only. Raises `ValueError`."""
    head = path.open("rb").read(4096)
    marker = b"ElementDataFile = LOCAL\n"
    end = head.find(marker)
    if end < 0:
        raise ValueError("not an uncompressed single-file MetaImage")
    end += len(marker)
    lines = (line.partition(" = ") for line in head[:end].decode("ascii").splitlines())
    fields = {name: value for name, _, value in lines}
    x, y, z = (int(n) for n in fields["DimSize"].split())
    axes = np.array([float(v) for v in fields["TransformMatrix"].split()]).reshape(3, 3)
    return Volume(
        array=np.memmap(path, _TYPES[fields["ElementType"]], "r", end, (z, y, x)),
        spacing=_vector(fields["ElementSpacing"]),
        origin=_vector(fields["Offset"]),
        direction=tuple(axes.T.ravel().tolist()),
    )


def _vector(text: str) -> Vector:
    return cast(Vector, tuple(float(value) for value in text.split()))


def to_sitk(volume: Volume) -> sitk.Image:
    """A SimpleITK image of the same grid (a copy)."""
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.spacing)
    image.SetOrigin(volume.origin)
    image.SetDirection(volume.direction)
    return image


def from_sitk(image: sitk.Image) -> Volume:
    """The volume of a SimpleITK image (a copy)."""
    return Volume(
        sitk.GetArrayFromImage(image),
        image.GetSpacing(),
        image.GetOrigin(),
        image.GetDirection(),
    )
