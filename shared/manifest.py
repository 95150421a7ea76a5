"""The manifest: every instance of a case's version, where its bytes lie, and a header index.

It is a payload, so it may name the patient; nothing of it goes on the bus but its reference.
"""

from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from mmap import ACCESS_READ, mmap
from typing import Any

import pydicom
from pydantic import AwareDatetime
from pydicom.dataset import FileDataset

from shared.events.models import Model, PayloadRef
from shared.store.port import PayloadStore

MEDIA_TYPE = "application/json"
SEGMENT_MEDIA_TYPE = "application/vnd.clarion.segment"

INDEXED = (
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyDate",
    "StudyTime", "AcquisitionDate", "AcquisitionTime", "AccessionNumber", "Modality",
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "StudyDescription",
    "SeriesDescription", "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
    "PatientAge", "PatientPosition", "BodyPartExamined", "TimezoneOffsetFromUTC",
    "ContrastBolusAgent", "SliceThickness", "KVP", "SpacingBetweenSlices",
    "GantryDetectorTilt", "ConvolutionKernel", "StudyInstanceUID", "SeriesInstanceUID",
    "SeriesNumber", "AcquisitionNumber", "InstanceNumber", "ImagePositionPatient",
    "ImageOrientationPatient", "FrameOfReferenceUID", "ConcatenationUID",
    "InConcatenationNumber", "InConcatenationTotalNumber", "SamplesPerPixel",
    "PhotometricInterpretation", "NumberOfFrames", "Rows", "Columns", "PixelSpacing",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "RescaleIntercept", "RescaleSlope", "RescaleType",
    "LossyImageCompression", "BurnedInAnnotation",
)  # fmt: skip
"""The keywords (PS3.6) that ingest indexes at reception, so that nobody parses headers again."""


class Extent(Model):
    """Where bytes lie in a segment."""

    segment: int
    offset: int
    length: int


class Instance(Model):
    """One instance of the input set: its whole Part 10 file is at `file`.

    `pixels` is the value of PixelData where that is native (not encapsulated). `header` maps
    keywords of `INDEXED` to JSON values: a list where the attribute has several values, an
    absent key where the attribute is absent, None where it is empty. `defect` is the reason
    why the header could not be read whole.
    """

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    digest: str
    arrived_at: AwareDatetime
    file: Extent
    pixels: Extent | None = None
    header: Mapping[str, Any] = {}
    defect: str | None = None


class Manifest(Model):
    """The input set of one version of a case, and what else the group holds."""

    case_id: str
    version: int
    supersedes: str | None
    pipeline: str
    study_instance_uid: str
    group: str
    received_at: AwareDatetime
    timezone: str
    called_ae: tuple[str, ...]
    calling_ae: tuple[str, ...]
    segments: tuple[PayloadRef, ...]
    instances: tuple[Instance, ...]
    others: tuple[Instance, ...] = ()
    """Kept and audited, but not admitted by the pipeline's input rules."""


def encode(manifest: Manifest) -> bytes:
    """The payload's bytes."""
    return manifest.model_dump_json().encode()


def read(ref: PayloadRef, store: PayloadStore) -> Manifest:
    """The manifest behind `ingest.manifest`."""
    return Manifest.model_validate_json(store.get(ref))


class InstanceFiles:
    """The bytes of a manifest's instances, mapped from its segments."""

    def __init__(self, manifest: Manifest, store: PayloadStore) -> None:
        self._paths = [(lambda ref=ref: store.path(ref)) for ref in manifest.segments]
        self._maps: dict[int, mmap] = {}

    def bytes(self, extent: Extent) -> memoryview:
        """A view of the mapped file; no copy."""
        if extent.segment not in self._maps:
            with self._paths[extent.segment]().open("rb") as file:
                self._maps[extent.segment] = mmap(file.fileno(), 0, access=ACCESS_READ)
        view = memoryview(self._maps[extent.segment])
        return view[extent.offset : extent.offset + extent.length]

    def dataset(self, instance: Instance, stop_before_pixels: bool = True) -> FileDataset:
        """The instance parsed. Raises what pydicom raises for a file that it can't parse."""
        file = BytesIO(self.bytes(instance.file))
        return pydicom.dcmread(file, stop_before_pixels=stop_before_pixels, force=True)


def local_time(manifest: Manifest) -> datetime:
    """When the study was received, in the source's time zone or else the home's."""
    offset = datetime.strptime(manifest.timezone, "%z").tzinfo
    return manifest.received_at.astimezone(offset)
