"""The Part 10 file of an instance: file meta information before the data set as received."""

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from shared.version import CODE_VERSION

IMPLEMENTATION_CLASS_UID = UID("2.25.126811593226389186041937246284117216913")
IMPLEMENTATION_VERSION_NAME = f"CLARION_{CODE_VERSION.replace('.', '_')}"
_PREAMBLE = b"\0" * 128 + b"DICM"


def file_meta(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, calling_ae: str
) -> bytes:
    """Preamble, prefix and group 0002 (PS3.10 7.1); the data set's bytes follow it."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    meta.SourceApplicationEntityTitle = calling_ae
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta)
    return _PREAMBLE + buffer.getvalue()
