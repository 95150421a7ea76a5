"""Makes a manifest and its segment out of DICOM files or data sets, the way ingest does."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian
from pydicom.valuerep import IS, DSdecimal, DSfloat, PersonName

from shared.events.models import PayloadRef
from shared.identity import case_id
from shared.manifest import INDEXED, MEDIA_TYPE, SEGMENT_MEDIA_TYPE, Extent, Instance, Manifest
from shared.manifest import encode as encode_manifest
from shared.store.port import PayloadStore

ARRIVED = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
_PIXEL_DATA_BIG_ENDIAN = b"\x7f\xe0\x00\x10"


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


def header_of(dataset: Dataset) -> tuple[dict[str, Any], str | None]:
    """The indexed attributes as JSON values, and which of them could not be read."""
    header: dict[str, Any] = {}
    unreadable = []
    for keyword in INDEXED:
        try:
            if keyword in dataset:
                header[keyword] = _json(dataset[keyword].value)
        except Exception as error:  # whatever a hostile header makes pydicom raise
            unreadable.append(f"{keyword}: {type(error).__name__}")
    return header, ", ".join(unreadable) or None


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
    buffer = BytesIO(content)
    try:
        dataset: Dataset = pydicom.dcmread(buffer, stop_before_pixels=True, force=True)
        header, defect = header_of(dataset)
        meta = getattr(dataset, "file_meta", Dataset())
        syntax = str(meta.get("TransferSyntaxUID", "1.2.840.10008.1.2"))
        pixels = _pixels(content, buffer.tell(), syntax)
    except Exception as error:  # as above
        header, syntax, pixels, defect = {}, "", None, type(error).__name__
    if pixels and pixels[0] + pixels[1] > len(content):
        pixels, defect = None, "PixelData: truncated"
    return Instance(
        sop_instance_uid=str(header.get("SOPInstanceUID") or ""),
        sop_class_uid=str(header.get("SOPClassUID") or ""),
        transfer_syntax_uid=syntax,
        digest=hashlib.sha256(content).hexdigest(),
        arrived_at=ARRIVED,
        file=Extent(segment=0, offset=offset, length=len(content)),
        pixels=pixels and Extent(segment=0, offset=offset + pixels[0], length=pixels[1]),
        header=header,
        defect=defect,
    )


def _pixels(content: bytes, at: int, syntax: str) -> tuple[int, int] | None:
    """Where the value of native PixelData lies, `at` being its tag; None when encapsulated."""
    tag = content[at : at + 4]
    if syntax == DeflatedExplicitVRLittleEndian or tag not in (_PIXEL_DATA, _PIXEL_DATA_BIG_ENDIAN):
        return None
    explicit = content[at + 4 : at + 6] in (b"OB", b"OW")
    value = at + (12 if explicit else 8)
    length = int.from_bytes(
        content[value - 4 : value], "big" if tag == _PIXEL_DATA_BIG_ENDIAN else "little"
    )
    return None if length == 0xFFFFFFFF else (value, length)


def _study(instances: list[Instance]) -> str:
    found = (instance.header.get("StudyInstanceUID") for instance in instances)
    return next((str(uid) for uid in found if uid), "")


def _json(value: Any) -> Any:
    if isinstance(value, MultiValue | list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, IS | int):
        return int(value)
    if isinstance(value, DSfloat | DSdecimal | float):
        return float(value)
    if value is None or value == "":
        return None
    return str(value) if isinstance(value, PersonName | str) else repr(value)
