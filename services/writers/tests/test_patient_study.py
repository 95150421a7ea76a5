"""Who the patient is arrives as the source says it, and no dirt with it."""

from collections.abc import Callable
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset

from services.writers.encapsulated_pdf import encapsulated
from services.writers.segmentation import segmentation
from services.writers.source import Source
from services.writers.stamp import part10
from services.writers.tests.studies import LUNG_LABELS, LUNG_MODEL, Study

COPIED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "StudyInstanceUID",
    "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "StudyDescription",
    "SpecificCharacterSet", "TimezoneOffsetFromUTC",
)  # fmt: skip

Write = Callable[[Study, Source], Dataset]


def a_segmentation(study: Study, source: Source) -> Dataset:
    return segmentation(study.lungs, LUNG_LABELS, source, study.stamp(), LUNG_MODEL)


def a_report(study: Study, source: Source) -> Dataset:
    return encapsulated(b"%PDF-", "report", source, study.stamp())


both = pytest.mark.parametrize("write", [a_segmentation, a_report])


def sent(write: Write, study: Study, header: Dataset) -> Dataset:
    """What a PACS reads when the source's first header is this one."""
    source = Source(header, study.selection.geometry, study.source.images)
    return pydicom.dcmread(BytesIO(part10(write(study, source))))


@both
def test_patient_and_study_are_the_sources(study: Study, write: Write) -> None:
    header = study.ordered[0]

    made = sent(write, study, header)

    assert {name: made.get(name) for name in COPIED} == {name: header.get(name) for name in COPIED}


@both
def test_a_name_in_a_multi_byte_character_set_arrives(study: Study, write: Write) -> None:
    header = study.ordered[0]
    header.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    header.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"

    made = sent(write, study, header)

    assert made.SpecificCharacterSet == ["", "ISO 2022 IR 87"]
    assert made.PatientName == header.PatientName


@both
def test_bytes_that_the_declared_character_set_lacks_arrive_unchanged(
    study: Study, write: Write
) -> None:
    buffer = BytesIO()
    whole = study.ordered[0]
    whole.SpecificCharacterSet, whole.PatientName = "ISO_IR 100", "Müller^Jörg"
    pydicom.dcmwrite(buffer, whole, enforce_file_format=True)
    broken = buffer.getvalue().replace(b"ISO_IR 100", b"ISO_IR 192")

    made = sent(write, study, pydicom.dcmread(BytesIO(broken)))

    raw = made.get_item("PatientName")
    assert raw is not None
    assert raw.value == "Müller^Jörg ".encode("latin-1")


@both
def test_a_reference_without_a_class_is_left_out(study: Study, write: Write) -> None:
    header = study.ordered[0]
    broken = Dataset()
    broken.ReferencedSOPInstanceUID = "1.2.3"
    header.ReferencedStudySequence = [broken]

    assert "ReferencedStudySequence" not in sent(write, study, header)


@both
def test_what_is_missing_is_sent_empty(study: Study, write: Write) -> None:
    header = study.ordered[0]
    del header.PatientBirthDate, header.StudyID, header.PatientSex, header.AccessionNumber

    made = sent(write, study, header)

    empty = ("PatientBirthDate", "StudyID", "PatientSex", "AccessionNumber")
    assert [made[keyword].value for keyword in empty] == ["", "", "", ""]


@both
def test_it_says_that_it_is_research_and_who_made_it(study: Study, write: Write) -> None:
    made = sent(write, study, study.ordered[0])

    assert made.SeriesDescription.startswith("AI RESEARCH")
    assert made.ContentQualification == "RESEARCH"
    assert (made.Manufacturer, made.ManufacturerModelName) == ("Clarion", "covid19-ct")
    assert made.SoftwareVersions
    assert made.DeviceSerialNumber
    equipment = made.ContributingEquipmentSequence
    assert [item.PurposeOfReferenceCodeSequence[0].CodeValue for item in equipment] == [
        "109101",
        "109102",
    ]
    assert equipment[0].Manufacturer == "Phantom Works"
    assert LUNG_MODEL.digest in equipment[1].ContributionDescription


@both
def test_what_can_not_be_read_is_left_out_and_stops_nothing(study: Study, write: Write) -> None:
    buffer = BytesIO()
    whole = study.ordered[0]
    whole.PregnancyStatus, whole.SliceThickness, whole.SeriesNumber = 4, "7.25", 123
    pydicom.dcmwrite(buffer, whole, enforce_file_format=True)
    content = buffer.getvalue().replace(b"US\x02\x00\x04\x00", b"US\x03\x00\x04\x00\x00")
    broken = content.replace(b"7.25", b"thin").replace(b"123 ", b"1.x ")

    made = sent(write, study, pydicom.dcmread(BytesIO(broken)))

    assert "PregnancyStatus" not in made
    assert made.PatientID == whole.PatientID
