"""What the tests send: real chest CT where it is handed out, phantoms, and changed copies."""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID

from phantom.dicom import file_meta, uid
from tests.e2e.system import DATA, new_seed

REAL = DATA / "chest-ct-real"


def real(name: str) -> list[Dataset]:
    """The data sets of a real series, as files are ordered; skips where there is none."""
    return [dcmread(path) for path in sorted(real_folder(name).iterdir())]


def real_folder(name: str) -> Path:
    folder = REAL / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: real CT is handed out beside the project")
    return folder


def as_another_study(datasets: Sequence[Dataset]) -> list[Dataset]:
    """The same images under UIDs that nobody has seen."""
    seed = new_seed()
    made = []
    for dataset in datasets:
        own = copy.deepcopy(dataset)
        own.StudyInstanceUID = uid(seed, "study", dataset.StudyInstanceUID)
        own.SeriesInstanceUID = uid(seed, "series", dataset.SeriesInstanceUID)
        own.SOPInstanceUID = uid(seed, "instance", dataset.SOPInstanceUID)
        own.FrameOfReferenceUID = uid(seed, "frame of reference", dataset.FrameOfReferenceUID)
        own.file_meta.MediaStorageSOPInstanceUID = own.SOPInstanceUID
        made.append(own)
    return made


def with_one_voxel_changed(dataset: Dataset) -> Dataset:
    """A slice that differs from this one in a single voxel."""
    changed = copy.deepcopy(dataset)
    voxels = np.frombuffer(changed.PixelData, "<u2").copy()
    voxels[len(voxels) // 2] ^= 1
    changed.PixelData = voxels.tobytes()
    return changed


def dose_report(of: Dataset) -> Dataset:
    """An X-ray radiation dose SR of the same study (PS3.3 A.35.8), which scanners send late."""
    report = Dataset()
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate"):
        setattr(report, keyword, of[keyword].value)
    for keyword in ("StudyInstanceUID", "StudyTime", "StudyID", "AccessionNumber"):
        setattr(report, keyword, of[keyword].value)
    report.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.88.67")
    report.SOPInstanceUID = uid(of.SOPInstanceUID, "dose")
    report.SeriesInstanceUID = uid(of.SOPInstanceUID, "dose series")
    report.Modality, report.ValueType, report.ContinuityOfContent = "SR", "CONTAINER", "SEPARATE"
    report.CompletionFlag, report.VerificationFlag = "COMPLETE", "UNVERIFIED"
    report.file_meta = file_meta(report)
    return report


def study_uid(datasets: Sequence[Dataset]) -> str:
    return str(datasets[0].StudyInstanceUID)
