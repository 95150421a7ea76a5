"""The attributes of an Encapsulated PDF, of which no validator checks the half."""

from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset

from services.writers.encapsulated_pdf import encapsulated
from services.writers.source import Source
from services.writers.stamp import part10
from services.writers.tests.studies import Study

PDF = b"%PDF-1.7 odd"


def sent(study: Study, pdf: bytes = PDF, header: Dataset | None = None) -> Dataset:
    source = study.source
    if header is not None:
        source = Source(header, source.geometry, source.images)
    return pydicom.dcmread(BytesIO(part10(encapsulated(pdf, "report", source, study.stamp()))))


def test_it_is_a_document_made_on_a_workstation(study: Study) -> None:
    made = sent(study)

    assert made.SOPClassUID == "1.2.840.10008.5.1.4.1.1.104.1"
    assert (made.Modality, made.ConversionType) == ("DOC", "WSD")
    assert made.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert made.DocumentTitle == "AI RESEARCH report"
    assert made.VerificationFlag == "UNVERIFIED"


def test_it_is_a_measurement_report_and_not_a_radiologists(study: Study) -> None:
    (concept,) = sent(study).ConceptNameCodeSequence

    assert (concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning) == (
        "126000",
        "DCM",
        "Imaging Measurement Report",
    )


def test_it_refers_to_every_instance_that_was_used(study: Study) -> None:
    referred = [
        (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID)
        for item in sent(study).SourceInstanceSequence
    ]

    assert referred == [(ds.SOPClassUID, ds.SOPInstanceUID) for ds in study.ordered]


def test_its_pages_name_the_patient(study: Study) -> None:
    assert sent(study).BurnedInAnnotation == "YES"


@pytest.mark.parametrize("pdf", [b"%PDF-1.7 odd", b"%PDF-1.7 even"])
def test_the_length_is_the_pdfs_and_the_value_is_even(study: Study, pdf: bytes) -> None:
    made = sent(study, pdf)

    assert made.EncapsulatedDocumentLength == len(pdf)
    assert made.EncapsulatedDocument[: len(pdf)] == pdf
    assert len(made.EncapsulatedDocument) % 2 == 0


def test_the_acquisition_is_dated_as_the_source_says(study: Study) -> None:
    header = study.ordered[0]

    assert sent(study).AcquisitionDateTime == header.AcquisitionDate + header.AcquisitionTime


def test_an_acquisition_without_a_date_is_sent_empty(study: Study) -> None:
    header = study.ordered[0]
    del header.AcquisitionDate

    assert sent(study, header=header)["AcquisitionDateTime"].is_empty
