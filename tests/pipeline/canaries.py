"""A study whose every identifying attribute holds a value that stands nowhere else: canaries."""

from collections.abc import Iterable
from datetime import date, timedelta

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

_ROOT = "1.2.840.99999"
"""Of every UID of the source."""
_PRIVATE = "CANARY-PRIVATE"
_FIRST_DATE = date(1941, 3, 7)
_KEYWORDS = (
    # The patient (PS3.15 E.1, the Basic Profile).
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientBirthTime",
    "PatientAge", "PatientAddress", "PatientTelephoneNumbers", "OtherPatientNames",
    "OtherPatientIDs", "PatientBirthName", "PatientMotherBirthName", "MilitaryRank", "EthnicGroup",
    "Occupation", "AdditionalPatientHistory", "PatientComments", "MedicalRecordLocator",
    "CountryOfResidence", "RegionOfResidence", "CurrentPatientLocation",
    # The visit and the order.
    "AccessionNumber", "AdmissionID", "StudyID", "RequestedProcedureID",
    "RequestedProcedureDescription", "ReasonForStudy", "PerformedProcedureStepID",
    "PerformedProcedureStepDescription", "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    # Persons.
    "ReferringPhysicianName", "ReferringPhysicianAddress", "NameOfPhysiciansReadingStudy",
    "PhysiciansOfRecord", "PerformingPhysicianName", "OperatorsName", "RequestingPhysician",
    # When.
    "StudyDate", "StudyTime", "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime",
    "ContentDate", "ContentTime", "InstanceCreationDate", "InstanceCreationTime",
    # Where, with what, and what was said of it.
    "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName",
    "DeviceSerialNumber", "ProtocolName", "StudyDescription", "SeriesDescription", "ImageComments",
    # UIDs of the source, one for all slices.
    "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID",
    "SynchronizationFrameOfReferenceUID", "InstanceCreatorUID",
)  # fmt: skip


def _value(number: int, keyword: str) -> str:
    """A value that the attribute may hold, and that no other attribute does."""
    by_vr = {
        "UI": f"{_ROOT}.1.{number}",
        "DA": f"{_FIRST_DATE + timedelta(days=number):%Y%m%d}",
        "TM": f"0317{number % 60:02d}.9182{number:02d}",
        "AS": f"{100 + number}Y",
        "PN": f"Canary{number:03d}^Given{number:03d}",
    }
    return by_vr.get(dictionary_VR(keyword), f"Canary{number:03d}")


_VALUES = {keyword: _value(number, keyword) for number, keyword in enumerate(_KEYWORDS)}
CANARIES = {keyword: value.partition("^")[0] for keyword, value in _VALUES.items()} | {
    "any UID of the source": _ROOT,
    "a private attribute": _PRIVATE,
}
"""What must not be found, by what holds it."""


def marked(datasets: Iterable[Dataset]) -> list[Dataset]:
    """The study with a canary wherever one can be."""
    return [_marked(dataset, number) for number, dataset in enumerate(datasets)]


def found_in(texts: Iterable[str]) -> list[str]:
    """Which attributes' canaries stand in any of the texts."""
    whole = "\n".join(texts)
    return [keyword for keyword, value in CANARIES.items() if value in whole]


def _marked(dataset: Dataset, number: int) -> Dataset:
    for keyword, value in _VALUES.items():
        setattr(dataset, keyword, value)
    dataset.SOPInstanceUID = f"{_ROOT}.2.{number}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    other = Dataset()
    other.ReferencedSOPClassUID = dataset.SOPClassUID
    other.ReferencedSOPInstanceUID = f"{_ROOT}.3.{number}"
    dataset.ReferencedImageSequence = [other]
    block = dataset.private_block(0x0009, "CANARY", create=True)
    block.add_new(0x01, "LO", _PRIVATE)
    return dataset
