"""What one object of ours says of itself: its UIDs, its series, when it was made, by what."""

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import pydicom
from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import UID, ExplicitVRLittleEndian

from shared.dicom.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from shared.identity import uid
from shared.provenance import ModelIdentity
from shared.version import CODE_VERSION

MANUFACTURER = "Clarion"
DEVICE_SERIAL_NUMBER = "CLARION"
RESEARCH = "AI RESEARCH"

_ACQUISITION = Code("109101", "DCM", "Acquisition Equipment")
_PROCESSING = Code("109102", "DCM", "Processing Equipment")
_LO = 64
_EQUIPMENT = (
    "Manufacturer", "InstitutionName", "StationName", "ManufacturerModelName",
    "DeviceSerialNumber", "SoftwareVersions",
)  # fmt: skip


@dataclass(frozen=True)
class Stamp:
    """The identity of one object. `moment` is the job's, in the source's time zone."""

    job_id: str
    stage: str
    digest: str
    version: int
    pipeline: str
    series_number: int
    moment: datetime
    models: tuple[ModelIdentity, ...] = ()

    def uid(self, role: str) -> str:
        """A UID of this object: the same work gives the same."""
        return uid(self.job_id, self.stage, self.digest, role)

    @property
    def replaces(self) -> str:
        """`v2 replaces v1`; nothing for a first version."""
        return f"v{self.version} replaces v{self.version - 1}" if self.version > 1 else ""

    def describe(self, what: str) -> str:
        """A series description: research, what it is, and which version it replaces."""
        tail = f" ({self.replaces})" if self.replaces else ""
        return f"{RESEARCH} {what}"[: _LO - len(tail)] + tail


def mark(target: Dataset, stamp: Stamp, source: Dataset, what: str) -> None:
    """Write series, equipment and creation into `target`, over whatever a library put there."""
    date, time = f"{stamp.moment:%Y%m%d}", f"{stamp.moment:%H%M%S}"
    for keyword in ("InstanceCreationDate", "SeriesDate", "ContentDate"):
        setattr(target, keyword, date)
    for keyword in ("InstanceCreationTime", "SeriesTime", "ContentTime"):
        setattr(target, keyword, time)
    target.SOPInstanceUID = stamp.uid("instance")
    target.SeriesInstanceUID = stamp.uid("series")
    target.SeriesNumber = stamp.series_number
    target.SeriesDescription = stamp.describe(what)
    target.InstanceNumber = 1
    target.ContentQualification = "RESEARCH"
    target.Manufacturer = MANUFACTURER
    target.ManufacturerModelName = stamp.pipeline[:_LO]
    target.DeviceSerialNumber = DEVICE_SERIAL_NUMBER
    target.SoftwareVersions = CODE_VERSION
    target.ContributingEquipmentSequence = [
        _scanner(source),
        *(_model(model) for model in stamp.models),
    ]


def code_item(code: Code) -> Dataset:
    """An item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, *code[1:3]
    return item


def instance_item(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """An item that refers to an instance (PS3.3 10.8)."""
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item


def part10(dataset: Dataset) -> bytes:
    """The file of an object: our implementation, explicit little endian, no clock anywhere."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    dataset.file_meta = meta
    # Otherwise pydicom decodes and encodes the text that was copied as bytes.
    characters = convert_encodings(dataset.get("SpecificCharacterSet", "ISO_IR 6"))
    dataset.set_original_encoding(False, True, characters)
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _scanner(source: Dataset) -> Dataset:
    """The scanner, as the source names it (PS3.3 C.12.1.1.5)."""
    item = Dataset()
    for keyword in _EQUIPMENT:
        if source.get(keyword):
            item[keyword] = source[keyword]
    item.setdefault("Manufacturer", "unknown")
    item.PurposeOfReferenceCodeSequence = [code_item(_ACQUISITION)]
    return item


def _model(model: ModelIdentity) -> Dataset:
    """A model that took part, to be known again by the digest of its weights."""
    item = Dataset()
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = model.name[:_LO]
    item.SoftwareVersions = model.version[:_LO] or "unknown"
    item.ContributionDescription = f"{model.algorithm}, sha256 {model.digest}"
    item.PurposeOfReferenceCodeSequence = [code_item(_PROCESSING)]
    return item
