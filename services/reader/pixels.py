"""Gets the stored values of planes, and their Hounsfield units.

Native pixels are taken where they lie in the mapped segment. Values that stand for padding
(PixelPaddingValue) stay what their rescale makes of them, as in SimpleITK: models clip anyway,
and a reader that rewrote them would hide what the scanner sent.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, SecondaryCaptureImageStorage

from services.reader.header import Header, integer, number
from services.reader.planes import Plane
from services.reader.syntaxes import BY_ITK, EXPLICIT_BIG
from shared.errors import InputRejected, Reason
from shared.manifest import InstanceFiles

Array = NDArray[Any]
_INT16 = np.iinfo(np.int16)


class OutOfRange(Exception):
    """A Hounsfield value does not fit 16 bits."""


def element_type(planes: Sequence[Plane]) -> np.dtype[Any]:
    """int16 unless a slope or an intercept is no whole number: then float32."""
    scales = {_scale(plane.header) for plane in planes}
    whole = all(value.is_integer() for scale in scales for value in scale)
    return np.dtype("<i2" if whole else "<f4")


def voxels(planes: Sequence[Plane], files: InstanceFiles, dtype: np.dtype[Any]) -> Iterator[Array]:
    """The planes in Hounsfield units, one (y, x) array of `dtype` after the other.

    Raises `InputRejected` for pixels that can't be decoded, and `OutOfRange`.
    """
    encapsulated = _Encapsulated(files)
    for plane in planes:
        values = _native(plane, files)
        if values is None:
            values = encapsulated.plane(plane)
        yield _hounsfield(_unmasked(values, plane.header), plane.header, dtype)


def _scale(header: Header) -> tuple[float, float]:
    return number(header, "RescaleSlope") or 1.0, number(header, "RescaleIntercept") or 0.0


def _native(plane: Plane, files: InstanceFiles) -> Array | None:
    """A view of the file; None where the pixels are encapsulated or deflated."""
    if plane.source.pixels is None:
        return None
    header = plane.header
    order = ">" if plane.source.transfer_syntax_uid == EXPLICIT_BIG else "<"
    kind = "i" if integer(header, "PixelRepresentation") else "u"
    dtype = np.dtype(f"{order}{kind}{integer(header, 'BitsAllocated') // 8}")
    shape = integer(header, "Rows"), integer(header, "Columns")
    count = shape[0] * shape[1]
    start = ((plane.frame or 1) - 1) * count * dtype.itemsize
    content = files.bytes(plane.source.pixels)
    return np.frombuffer(content, dtype, count, start).reshape(shape)


def _unmasked(values: Array, header: Header) -> Array:
    """The stored bits alone, sign-extended: the others may hold overlays (PS3.5 8.1.1)."""
    allocated, high = values.dtype.itemsize * 8, integer(header, "HighBit")
    stored = integer(header, "BitsStored")
    if stored >= allocated:
        return values
    signed = values.dtype.kind == "i"
    low = -(1 << (stored - 1)) if signed else 0
    if high == stored - 1 and low <= values.min() and values.max() < low + (1 << stored):
        return values
    native = values.astype(values.dtype.newbyteorder("="))
    return (native << (allocated - 1 - high)) >> (allocated - stored)


def _hounsfield(values: Array, header: Header, dtype: np.dtype[Any]) -> Array:
    slope, intercept = _scale(header)
    if dtype.kind == "f":
        return (values * slope + intercept).astype(dtype)
    ends = [int(end) * slope + intercept for end in (values.min(), values.max())]
    if min(ends) < _INT16.min or max(ends) > _INT16.max:
        raise OutOfRange
    # The result fits 16 bits, so that arithmetic modulo 2**16 gives it, whatever lies between.
    narrow: Array = values.astype(dtype, copy=False, casting="unsafe")
    if slope != 1:
        narrow = narrow * _modulo(slope)
    shifted: Array = narrow + _modulo(intercept)
    return shifted


def _modulo(whole: float) -> np.int16:
    """A whole number modulo 2**16, as the int16 of the same bits."""
    return np.uint16(int(whole) & 0xFFFF).view(np.int16)


class _Encapsulated:
    """Decodes planes; keeps the file parsed last, for the next frame of it."""

    def __init__(self, files: InstanceFiles) -> None:
        self._files = files
        self._instance = -1
        self._dataset = Dataset()

    def plane(self, plane: Plane) -> Array:
        """Raises `InputRejected`, whatever goes wrong in a decoder."""
        try:
            if plane.instance != self._instance:
                self._dataset = self._files.dataset(plane.source, stop_before_pixels=False)
                self._instance = plane.instance
            if "PixelData" not in self._dataset:
                raise InputRejected(Reason("no-pixel-data", {"slices": 1}))
            values = _decoded(self._dataset, plane)
            if values.shape != (integer(plane.header, "Rows"), integer(plane.header, "Columns")):
                raise ValueError("the decoded matrix is not the declared one")
        except InputRejected:
            raise
        except Exception as error:
            raise InputRejected(Reason("corrupt-instance", {"instances": 1})) from error
        return values


def _decoded(dataset: Dataset, plane: Plane) -> Array:
    syntax, frame = plane.source.transfer_syntax_uid, (plane.frame or 1) - 1
    if syntax in BY_ITK:
        return _decoded_by_itk(dataset, syntax, frame)
    values, _ = get_decoder(UID(syntax)).as_array(dataset, index=frame, raw=True)
    return values


def _decoded_by_itk(dataset: Dataset, syntax: str, frame: int) -> Array:
    """One frame as a file of its own without a rescale, so that ITK gives the stored values."""
    count = int(dataset.get("NumberOfFrames") or 1)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=count))
    single = Dataset()
    single.file_meta = FileMetaDataset()
    single.file_meta.TransferSyntaxUID = UID(syntax)
    single.SOPClassUID = SecondaryCaptureImageStorage
    single.SOPInstanceUID = UID("2.25.1")
    single.SamplesPerPixel, single.PhotometricInterpretation = 1, "MONOCHROME2"
    for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"):
        setattr(single, keyword, int(dataset[keyword].value))
    single.PixelRepresentation = int(dataset.PixelRepresentation)
    single.PixelData = encapsulate([frames[frame]])
    single["PixelData"].VR = "OB"
    with tempfile.TemporaryDirectory(prefix="clarion-reader-") as folder:
        path = Path(folder) / "frame.dcm"
        pydicom.dcmwrite(path, single, enforce_file_format=True)
        return np.squeeze(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))
