"""The file meta information, read by pydicom."""

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from services.ingest.part10 import file_meta
from services.ingest.tests.instances import ct, encoded
from shared.dicom.elements import Malformed
from shared.dicom.implementation import IMPLEMENTATION_CLASS_UID
from shared.dicom.part10 import split


def test_pydicom_reads_the_file() -> None:
    meta = file_meta(CTImageStorage, "1.2.3", ExplicitVRLittleEndian, "SCANNER")
    read = dcmread(BytesIO(meta + encoded(ct(1))))
    assert read.file_meta.FileMetaInformationGroupLength == len(meta) - 144
    assert read.file_meta.MediaStorageSOPClassUID == CTImageStorage
    assert read.file_meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert read.file_meta.SourceApplicationEntityTitle == "SCANNER"
    assert read.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert UID(IMPLEMENTATION_CLASS_UID).is_valid
    assert read == ct(1)


@pytest.mark.parametrize("dataset", [encoded(ct(1)), b"\xed\x7f\xff\xff deflated", b"\0\x08", b""])
def test_the_data_set_is_split_off_whatever_its_syntax(dataset: bytes) -> None:
    meta = file_meta(CTImageStorage, "1.2.3", ExplicitVRLittleEndian, "SCANNER")
    named, rest = split(meta + dataset)
    assert (named["sop_instance_uid"], rest) == ("1.2.3", dataset)


def test_what_is_no_file_is_not_split() -> None:
    with pytest.raises(Malformed):
        split(b"nothing of the kind")
