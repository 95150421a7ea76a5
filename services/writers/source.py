"""The images that were analysed: what our objects refer to, and whose patient they name."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pydicom.valuerep import DSfloat

from services.writers.patient_study import REQUIRED, legible
from shared.imaging.volume import Vector
from shared.manifest import InstanceFiles, Manifest
from shared.selection import Geometry, Selection

Mask = NDArray[np.uint8]
"""Labels on the grid of the source, (z, y, x)."""

_CONSTANT = (
    "PositionReferenceIndicator", "LossyImageCompression", "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)  # fmt: skip


@dataclass(frozen=True)
class SourceImage:
    """One plane of the volume: an instance, or one frame of it, and where its first voxel is."""

    sop_class_uid: str
    sop_instance_uid: str
    position: Vector
    frame: int | None = None
    instance_number: int | None = None

    @property
    def stand_in(self) -> str:
        """The UID of this plane alone: highdicom takes each frame for an image of its own."""
        return self.sop_instance_uid if self.frame is None else f"2.25.{self.frame}"

    @property
    def name(self) -> str:
        """What a viewer calls it."""
        if self.frame is not None:
            return f"Frame {self.frame}"
        return "Image" if self.instance_number is None else f"Image {self.instance_number}"


@dataclass(frozen=True)
class Source:
    """The planes of the volume along +z, and the header of the first one's instance."""

    header: Dataset
    geometry: Geometry
    images: tuple[SourceImage, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) of the volume."""
        return self.geometry.shape

    @property
    def instances(self) -> tuple[tuple[str, str], ...]:
        """Class and UID of every instance used, each once, in the order of the slices."""
        pairs = ((image.sop_class_uid, image.sop_instance_uid) for image in self.images)
        return tuple(dict.fromkeys(pairs))

    @property
    def _thickness(self) -> float:
        """As the source says (in mm), else the distance of its slices."""
        said = legible(self.header, "SliceThickness")
        return float(said) if isinstance(said, float) and said > 0 else self.geometry.spacing[2]

    def minimal(self) -> Sequence[Dataset]:
        """Each plane as a single-frame data set with its place and UIDs and nothing else.

        highdicom copies what it is given: a source without a patient has nothing dirty to copy.
        """
        return [self._minimal(image) for image in self.images]

    def _minimal(self, image: SourceImage) -> Dataset:
        plane = Dataset()
        for keyword in REQUIRED:
            setattr(plane, keyword, "")
        for keyword in _CONSTANT:
            if legible(self.header, keyword) is not None:
                plane[keyword] = self.header[keyword]
        axes = np.asarray(self.geometry.direction).reshape(3, 3).T
        plane.SOPClassUID = image.sop_class_uid if image.frame is None else CTImageStorage
        plane.SOPInstanceUID = image.stand_in
        plane.StudyInstanceUID = self.header.StudyInstanceUID
        plane.SeriesInstanceUID = self.header.SeriesInstanceUID
        plane.FrameOfReferenceUID = self.geometry.frame_of_reference_uid
        plane.Modality = "CT"
        plane.Rows, plane.Columns = self.shape[1:]
        plane.SliceThickness = _decimal([self._thickness])[0]
        plane.PixelSpacing = _decimal(self.geometry.spacing[1::-1])
        plane.ImageOrientationPatient = _decimal((*axes[0], *axes[1]))
        plane.ImagePositionPatient = _decimal(image.position)
        return plane


def source_of(manifest: Manifest, selection: Selection, files: InstanceFiles) -> Source:
    """What the reader chose, out of the manifest."""
    chosen = [manifest.instances[plane.instance] for plane in selection.slices]
    header = files.dataset(chosen[0])
    images = tuple(
        SourceImage(
            sop_class_uid=instance.sop_class_uid,
            sop_instance_uid=instance.sop_instance_uid,
            position=_position(instance.header.get("ImagePositionPatient"), selection, index),
            frame=plane.frame,
            instance_number=instance.header.get("InstanceNumber"),
        )
        for index, (instance, plane) in enumerate(zip(chosen, selection.slices, strict=True))
    )
    return Source(header, selection.geometry, images)


def _position(own: Sequence[float] | None, selection: Selection, index: int) -> Vector:
    """The instance's own position; a frame's follows from the grid."""
    if own and selection.slices[index].frame is None:
        return (own[0], own[1], own[2])
    grid = selection.geometry
    step = np.asarray(grid.direction).reshape(3, 3)[:, 2] * grid.spacing[2] * index
    x, y, z = (np.asarray(grid.origin) + step).tolist()
    return (x, y, z)


def _decimal(values: Sequence[float]) -> list[DSfloat]:
    """Decimal strings of at most 16 characters (PS3.5 6.2)."""
    return [DSfloat(float(value), auto_format=True) for value in values]
