"""Copies who the patient is and which study it is, from a source that may be dirty."""

from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

PATIENT = (
    "PatientName", "PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID", "PatientBirthDate", "PatientBirthTime", "PatientSex",
    "OtherPatientIDsSequence", "OtherPatientNames", "EthnicGroup", "PatientComments",
    "PatientSpeciesDescription", "PatientSpeciesCodeSequence", "PatientBreedDescription",
    "PatientBreedCodeSequence", "BreedRegistrationSequence", "ResponsiblePerson",
    "ResponsiblePersonRole", "ResponsibleOrganization", "PatientIdentityRemoved",
    "DeidentificationMethod", "DeidentificationMethodCodeSequence",
)  # fmt: skip
"""The Patient module (PS3.3 C.7.1.1), as far as a CT carries it."""

CLINICAL_TRIAL = (
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID", "ClinicalTrialSiteName", "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID", "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription", "LongitudinalTemporalOffsetFromEvent",
    "LongitudinalTemporalEventType",
)  # fmt: skip
"""Clinical Trial Subject and Study (PS3.3 C.7.1.3, C.7.2.3)."""

STUDY = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber",
    "IssuerOfAccessionNumberSequence", "ReferringPhysicianName", "StudyDescription",
    "ReferencedStudySequence", "ProcedureCodeSequence", "PatientAge", "PatientSize",
    "PatientWeight", "PregnancyStatus", "AdmissionID", "ServiceEpisodeID", "MedicalAlerts",
    "Allergies", "AdditionalPatientHistory", "PatientState", "SmokingStatus", "Occupation",
    "LastMenstrualDate", "PatientSexNeutered", "ReasonForVisit",
)  # fmt: skip
"""General Study, Patient Study (PS3.3 C.7.2.1, C.7.2.2) and what of the visit goes with them."""

OTHER = ("SpecificCharacterSet", "TimezoneOffsetFromUTC")
"""What the values above need to be understood (PS3.3 C.12.1)."""

REQUIRED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""Type 2: present in every object that we send, empty where the source has none."""

_COPIED = OTHER + PATIENT + CLINICAL_TRIAL + STUDY
_TEXT = frozenset(("AE", "AS", "CS", "DA", "DS", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UI"))


def copy_patient_and_study(source: Dataset, target: Dataset) -> None:
    """Give `target` the source's patient and study, leaving out what would make it illegal.

    Text is copied as bytes where that is possible, so that even what does not decode in the
    character set that the source declares arrives as it was.
    """
    for keyword in _COPIED:
        tag = Tag(tag_for_keyword(keyword) or 0)
        if tag in source:
            _copy(source, target, tag)
    for keyword in REQUIRED:
        if keyword not in target:
            setattr(target, keyword, "")


def _copy(source: Dataset, target: Dataset, tag: BaseTag) -> None:
    vr = dictionary_VR(tag)
    element = source.get_item(tag)
    if isinstance(element, RawDataElement) and vr in _TEXT:
        target[tag] = element._replace(VR=vr)
        return
    try:
        parsed = source[tag]
    except Exception:
        return
    if vr != "SQ":
        target[tag] = parsed
    elif items := [item for item in parsed.value if _is_complete(item)]:
        target.add_new(tag, vr, items)


def legible(source: Dataset, keyword: str) -> Any:
    """A value to be shown or reckoned with; None where the source's can't be read."""
    try:
        return source.get(keyword)
    except Exception:
        return None


def _is_complete(item: Dataset) -> bool:
    """Sources carry references without a class, and codes without a meaning: both are type 1."""
    if not len(item):
        return False
    if "ReferencedSOPInstanceUID" in item or "ReferencedSOPClassUID" in item:
        uids = (item.get("ReferencedSOPClassUID"), item.get("ReferencedSOPInstanceUID"))
        return all(uid and UID(str(uid)).is_valid for uid in uids)
    if "CodeMeaning" in item or "CodeValue" in item:
        code = any(item.get(key) for key in ("CodeValue", "LongCodeValue", "URNCodeValue"))
        return code and bool(item.get("CodeMeaning"))
    return True
