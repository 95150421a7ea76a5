"""Wraps a report as a DICOM Encapsulated PDF (PS3.3 A.45.1)."""

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import EncapsulatedPDFStorage

from services.writers.patient_study import copy_patient_and_study, legible
from services.writers.source import Source
from services.writers.stamp import Stamp, code_item, instance_item, mark

MEASUREMENT_REPORT = Code("126000", "DCM", "Imaging Measurement Report")


def encapsulated(pdf: bytes, title: str, source: Source, stamp: Stamp) -> Dataset:
    """The object that carries `pdf`, which names the patient on its page."""
    made = Dataset()
    copy_patient_and_study(source.header, made)
    made.SOPClassUID = EncapsulatedPDFStorage
    mark(made, stamp, source.header, title)
    made.Modality = "DOC"
    made.ConversionType = "WSD"
    made.AcquisitionDateTime = _acquired(source.header)
    made.BurnedInAnnotation = "YES"
    made.SourceInstanceSequence = [instance_item(*pair) for pair in source.instances]
    made.DocumentTitle = stamp.describe(title)
    made.ConceptNameCodeSequence = [code_item(MEASUREMENT_REPORT)]
    made.VerificationFlag = "UNVERIFIED"
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(pdf)
    made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return made


def _acquired(header: Dataset) -> str:
    """Type 2: empty where the source does not say when it was acquired."""
    moment, date = legible(header, "AcquisitionDateTime"), legible(header, "AcquisitionDate")
    if moment or not date:
        return str(moment or "")
    return f"{date}{legible(header, 'AcquisitionTime') or ''}"
