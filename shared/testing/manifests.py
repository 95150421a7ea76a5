"""Makes a manifest and its segment out of DICOM files or data sets, the way ingest does."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from shared.dicom.elements import Malformed
from shared.dicom.headers import index
from shared.dicom.part10 import split
from shared.events.models import PayloadRef
from shared.identity import case_id
from shared.manifest import MEDIA_TYPE, SEGMENT_MEDIA_TYPE, Extent, Instance, Manifest
from shared.manifest import encode as encode_manifest
from shared.store.port import PayloadStore

ARRIVED = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def manifest_of(
    files: Path | Iterable[Path | Dataset], store: PayloadStore, **overrides: Any
) -> tuple[Manifest, PayloadRef]:
    """Everything given, as the instances of one manifest in the store.

    A folder stands for the files in it. `overrides` are fields of the manifest. What can't be
    parsed becomes an instance with a defect.
    """
    segment = bytearray()
    instances = []
    for content in (_part10(source) for source in _each(files)):
        instances.append(_instance(content, len(segment)))
        segment += content
    segment_ref = store.put(bytes(segment), SEGMENT_MEDIA_TYPE)
    study = _study(instances)
    fields: dict[str, Any] = {
        "case_id": case_id("covid19-ct", study, study),
        "version": 1,
        "supersedes": None,
        "pipeline": "covid19-ct",
        "study_instance_uid": study,
        "group": study,
        "received_at": ARRIVED,
        "timezone": "+0000",
        "called_ae": ("COVID19",),
        "calling_ae": ("MODALITY",),
        "segments": (segment_ref,),
        "instances": tuple(instances),
    }
    manifest = Manifest(**(fields | overrides))
    return manifest, store.put(encode_manifest(manifest), MEDIA_TYPE)


def _each(files: Path | Iterable[Path | Dataset]) -> Iterator[Path | Dataset]:
    for source in [files] if isinstance(files, Path) else files:
        if isinstance(source, Path) and source.is_dir():
            yield from sorted(path for path in source.rglob("*") if path.is_file())
        else:
            yield source


def _part10(source: Path | Dataset) -> bytes:
    if isinstance(source, Path):
        return source.read_bytes()
    buffer = BytesIO()
    written = Dataset(source)
    written.file_meta = FileMetaDataset(getattr(source, "file_meta", {}))
    written.file_meta.setdefault("TransferSyntaxUID", ExplicitVRLittleEndian)
    pydicom.dcmwrite(buffer, written, enforce_file_format=True)
    return buffer.getvalue()


def _instance(content: bytes, offset: int) -> Instance:
    syntax, dataset = _split(content)
    start = len(content) - len(dataset)
    headers = index(dataset, syntax)
    pixels, defect = headers.pixels, headers.defect
    return Instance(
        sop_instance_uid=headers.text("SOPInstanceUID"),
        sop_class_uid=headers.text("SOPClassUID"),
        transfer_syntax_uid=syntax,
        digest=hashlib.sha256(dataset).hexdigest(),
        arrived_at=ARRIVED,
        file=Extent(segment=0, offset=offset, length=len(content)),
        pixels=pixels and Extent(segment=0, offset=offset + start + pixels[0], length=pixels[1]),
        header=headers.values,
        defect=defect,
    )


def _split(content: bytes) -> tuple[str, bytes]:
    """The transfer syntax and the data set of a file, which may lack what PS3.10 asks for."""
    try:
        named, dataset = split(content)
    except Malformed:
        return ImplicitVRLittleEndian, content
    return named.get("transfer_syntax_uid", ImplicitVRLittleEndian), dataset


def _study(instances: list[Instance]) -> str:
    found = (instance.header.get("StudyInstanceUID") for instance in instances)
    return next((str(uid) for uid in found if uid), "")
