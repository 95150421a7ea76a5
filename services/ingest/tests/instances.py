"""Small instances, and ways to send them."""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian
from pydicom.uid import ImplicitVRLittleEndian as Implicit
from pynetdicom import AE
from pynetdicom.association import Association

DATA = Path(__file__).parents[4] / "shared" / "data"
STUDY = "1.2.826.0.1.3680043.8.498.1"


def ct(number: int, **changes: object) -> Dataset:
    """One small CT instance of one study."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.SOPClassUID = CTImageStorage
    made.SOPInstanceUID = f"{STUDY}.1.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID = STUDY, f"{STUDY}.1"
    made.Modality, made.PatientName, made.PatientID = "CT", "Grün^Eva", "P1"
    made.SliceThickness = "1.25"
    made.ImagePositionPatient = [0, 0, number]
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.PixelSpacing = [0.7, 0.7]
    made.Rows = made.Columns = 8
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 16, 15
    made.PixelRepresentation = 1
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.PixelData = np.full((8, 8), number, np.int16).tobytes()
    made["PixelData"].VR = "OW"
    for keyword, value in changes.items():
        setattr(made, keyword, value)
    return made


def encoded(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The data set's bytes alone, as they travel in a C-STORE."""
    buffer = BytesIO()
    copy = Dataset()
    copy.update(dataset)
    little = syntax != ExplicitVRBigEndian
    dcmwrite(buffer, copy, implicit_vr=syntax == Implicit, little_endian=little)
    return buffer.getvalue()


def associate(
    port: int,
    called: str = "COVID19",
    calling: str = "SCANNER",
    syntaxes: tuple[str, ...] = (ExplicitVRLittleEndian,),
) -> Association:
    """An association for CT images, or a rejected one."""
    entity = AE(ae_title=calling)
    entity.add_requested_context(CTImageStorage, list(syntaxes))
    entity.add_requested_context("1.2.840.10008.1.1")
    entity.add_requested_context("1.2.840.10008.5.1.4.1.1.88.67", list(syntaxes))  # dose report
    entity.add_requested_context("1.2.840.10008.5.1.4.1.1.66.4", list(syntaxes))  # segmentation
    return entity.associate("127.0.0.1", port, ae_title=called)


def send(port: int, datasets: Iterable[Dataset], called: str = "COVID19") -> list[int]:
    """The status of each instance, sent over one association."""
    association = associate(port, called)
    assert association.is_established
    statuses = [association.send_c_store(with_meta(dataset)).Status for dataset in datasets]
    association.release()
    return statuses


def with_meta(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    """What pynetdicom needs to know to send a data set."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return dataset
