"""Finds the DICOM files among files and folders (PS3.10)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import MediaStorageDirectoryStorage


@dataclass(frozen=True)
class Instance:
    """One file, and what its File Meta Information says of it (PS3.10 7.1)."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    size: int


@dataclass(frozen=True)
class Found:
    """What lies under some paths."""

    instances: tuple[Instance, ...]
    skipped: tuple[Path, ...]
    """Files that hold no instance: another format, or a DICOMDIR."""


def find(paths: Iterable[Path]) -> Found:
    """Every file below the paths, each once, in the order of their names; hidden ones left out."""
    files = list(dict.fromkeys(file for path in paths for file in _files(path)))
    read = {file: _instance(file) for file in files}
    return Found(
        instances=tuple(instance for instance in read.values() if instance),
        skipped=tuple(file for file, instance in read.items() if instance is None),
    )


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for each in sorted(path.iterdir()):
        if not each.name.startswith("."):
            yield from _files(each)


def _instance(path: Path) -> Instance | None:
    try:
        meta = read_file_meta_info(path)
        found = Instance(
            path=path,
            sop_class_uid=str(meta.MediaStorageSOPClassUID),
            sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
            transfer_syntax_uid=str(meta.TransferSyntaxUID),
            size=path.stat().st_size,
        )
    except (InvalidDicomError, AttributeError, EOFError, ValueError):
        return None
    return None if found.sop_class_uid == MediaStorageDirectoryStorage else found
