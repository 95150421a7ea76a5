"""The file meta information, read by pydicom."""

from io import BytesIO

from pydicom import dcmread
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from services.ingest.part10 import IMPLEMENTATION_CLASS_UID, file_meta
from services.ingest.tests.instances import ct, encoded


def test_pydicom_reads_the_file() -> None:
    meta = file_meta(CTImageStorage, "1.2.3", ExplicitVRLittleEndian, "SCANNER")
    read = dcmread(BytesIO(meta + encoded(ct(1))))
    assert read.file_meta.FileMetaInformationGroupLength == len(meta) - 144
    assert read.file_meta.MediaStorageSOPClassUID == CTImageStorage
    assert read.file_meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert read.file_meta.SourceApplicationEntityTitle == "SCANNER"
    assert UID(IMPLEMENTATION_CLASS_UID).is_valid
    assert read == ct(1)
