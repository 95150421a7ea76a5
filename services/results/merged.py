"""Asks the destination whether the study still belongs to whom it did when it was analysed.

A PACS that has merged or corrected a patient would make a second patient of our objects
(seen with Orthanc), so they are held instead.
"""

from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

_IDENTITY = ("PatientID", "IssuerOfPatientID", "AccessionNumber")
_PENDING = (0xFF00, 0xFF01)


def find_context() -> PresentationContext:
    """To be proposed beside the storage contexts; a destination may well reject it."""
    return build_context(StudyRootQueryRetrieveInformationModelFind)


def identity_conflicts(association: Association, path: Path) -> bool:
    """Whether the destination knows the study under another identity than the object has.

    False where it answers no C-FIND (PS3.4 C.4.1), does not know the study, or returns an
    attribute empty.
    """
    accepted = {context.abstract_syntax for context in association.accepted_contexts}
    if StudyRootQueryRetrieveInformationModelFind not in accepted:
        return False
    tags = ["StudyInstanceUID", *_IDENTITY]
    ours = dcmread(path, stop_before_pixels=True, specific_tags=list(tags))
    return any(
        theirs != _text(ours, keyword)
        for found in _known(association, _text(ours, "StudyInstanceUID"))
        for keyword in _IDENTITY
        if (theirs := _text(found, keyword))
    )


def _known(association: Association, study_instance_uid: str) -> list[Dataset]:
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = study_instance_uid
    for keyword in _IDENTITY:
        setattr(query, keyword, "")
    if not study_instance_uid:
        return []
    answers = association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind)
    return [found for status, found in answers if found and status and status.Status in _PENDING]


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()
