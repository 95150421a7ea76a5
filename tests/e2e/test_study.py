"""A study goes in, and what comes back is right: nine outputs, four of them in the PACS."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, SegmentationStorage

from phantom.dicom import write
from phantom.studies import chest
from shared.imaging import volume as volumes
from tests.e2e import judges, spans, studies
from tests.e2e.system import Job, System, dataset_digests, dicom_outputs, new_seed, output

pytestmark = pytest.mark.e2e

OUTPUTS = {
    "volume": "volume",
    "lung-mask": "mask",
    "lesion-mask": "mask",
    "probabilities": "csv",
    "measurement": "json",
    "lung-seg": "seg",
    "lesion-seg": "seg",
    "classification-report": "encapsulated-pdf",
    "ratio-report": "encapsulated-pdf",
}
SEGMENTATIONS = {"lung-seg": "lung-mask", "lesion-seg": "lesion-mask"}
REPORTS = ("classification-report", "ratio-report")
SLOWEST_S = 120.0
"""Generous: from the association's end to the last delivery, on a machine that does much else."""


@dataclass(frozen=True)
class Case:
    """A study that was sent, what became of it, and what the PACS filed."""

    system: System
    sources: Sequence[Path]
    headers: Sequence[Dataset]
    job: Job
    received: dict[str, Path]

    def delivered(self, name: str) -> Path:
        """An output as the PACS has it."""
        [uid] = [o["sop_instance_uid"] for o in self.job["outputs"] if o["name"] == name]
        return self.received[uid]


@pytest.fixture(scope="module", params=["phantom", "cmb_crc_01068"])
def case(
    request: pytest.FixtureRequest, system: System, tmp_path_factory: pytest.TempPathFactory
) -> Case:
    if request.param == "phantom":
        folder = tmp_path_factory.mktemp("phantom")
        write(chest(new_seed()), folder)
    else:
        folder = studies.real_folder(request.param)
    paths = sorted(folder.iterdir())
    headers = [dcmread(path, stop_before_pixels=True) for path in paths]
    study = studies.study_uid(headers)
    system.send_files(folder)
    job = system.ended(study)
    return Case(system, paths, headers, job, system.received(study))


def test_it_completes_with_every_output(case: Case) -> None:
    assert case.job["status"] == "completed"
    assert {made["name"]: made["kind"] for made in case.job["outputs"]} == OUTPUTS
    assert all(Path(made["path"]).is_file() for made in case.job["outputs"])
    assert {stage["status"] for stage in case.job["stages"]} == {"succeeded"}


def test_the_pacs_files_what_was_made_byte_for_byte(case: Case) -> None:
    assert dataset_digests(case.received) == dataset_digests(dicom_outputs(case.job))
    assert all(
        delivery["status"] == "delivered"
        for made in case.job["outputs"]
        for delivery in made["deliveries"]
    )


def test_it_takes_no_longer_than_its_parts(case: Case) -> None:
    trace = case.system.trace(case.job)
    ended = max(span.end for span in spans.of(trace) if span.name == "association")
    delivered = max(span.end for span in spans.of(trace) if span.name == "deliver")
    quiet = sum(span.length for span in spans.of(trace) if span.name == "quiet-time")
    took = delivered - ended - quiet
    told = [f"{len(case.sources)} slices: {took:.2f} s from the association's end, less quiet time"]
    for (service, name), seconds in spans.longest_leaves(trace)[:12]:
        told.append(f"  {seconds:6.2f} s  {service} {name}")
    sys.stdout.write("\n".join(["", *told, ""]))
    assert took < SLOWEST_S


@pytest.mark.parametrize("name", [*SEGMENTATIONS, *REPORTS])
def test_dciodvfy_finds_no_error_that_the_source_lacks(case: Case, name: str) -> None:
    own = judges.dciodvfy_errors(case.delivered(name))
    assert own <= judges.dciodvfy_errors(case.sources[0])


def test_dcentvfy_finds_source_and_outputs_consistent(case: Case) -> None:
    alone = judges.dcentvfy_remarks(case.sources)
    assert judges.dcentvfy_remarks([*case.sources, *case.received.values()]) == alone


@pytest.mark.parametrize("name", SEGMENTATIONS)
def test_dcmqi_reads_the_mask_voxel_for_voxel(case: Case, name: str, tmp_path: Path) -> None:
    mask = volumes.read(output(case.job, SEGMENTATIONS[name]))
    segments = judges.dcmqi_masks(case.delivered(name), tmp_path, mask)
    labels = dcmread(case.delivered(name)).SegmentSequence
    assert set(segments) == {item.SegmentNumber for item in labels}
    for number, read in segments.items():
        assert np.array_equal(read, mask.array == number), f"segment {number}"


def test_a_segmentation_keeps_patient_study_and_frame_of_reference(case: Case) -> None:
    for name in SEGMENTATIONS:
        made = dcmread(case.delivered(name))
        assert made.SOPClassUID == SegmentationStorage
        assert made.SegmentationType == "BINARY"
        assert made.FrameOfReferenceUID == case.headers[0].FrameOfReferenceUID
        _assert_identity(made, case)


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_says_what_a_report_must(case: Case, name: str) -> None:
    made = dcmread(case.delivered(name))
    used = {str(item.ReferencedSOPInstanceUID) for item in made.SourceInstanceSequence}
    [title] = made.ConceptNameCodeSequence
    assert made.SOPClassUID == EncapsulatedPDFStorage
    assert made.Modality == "DOC"
    assert used == {str(header.SOPInstanceUID) for header in case.headers}
    assert made.DocumentTitle.startswith("AI RESEARCH")
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("126000", "DCM")
    assert made.BurnedInAnnotation == "YES"
    assert made.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert made.ConversionType == "WSD"
    length = made.EncapsulatedDocumentLength
    assert len(made.EncapsulatedDocument) == length + length % 2
    assert made.EncapsulatedDocument.startswith(b"%PDF")
    _assert_identity(made, case)


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_has_pages(case: Case, name: str, tmp_path: Path) -> None:
    assert judges.pages_of(case.delivered(name), tmp_path) >= 1


def _assert_identity(made: Dataset, case: Case) -> None:
    """What DICOM.md asks of whatever is sent."""
    source = case.headers[0]
    for keyword in ("PatientName", "PatientID", "PatientSex", "StudyInstanceUID", "StudyDate"):
        assert made[keyword].value == source[keyword].value, keyword
    for keyword in ("PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "StudyID"):
        assert keyword in made, keyword
    for keyword in ("SpecificCharacterSet", "TimezoneOffsetFromUTC"):
        assert made.get(keyword) == source.get(keyword), keyword
    assert made.SeriesInstanceUID not in {header.SeriesInstanceUID for header in case.headers}
    assert made.SeriesNumber in range(9001, 9005)
    assert made.SeriesDescription.startswith("AI RESEARCH")
    assert made.ContentQualification == "RESEARCH"
    assert made.Manufacturer == "Clarion"
    assert made.SoftwareVersions
    assert made.DeviceSerialNumber
    assert made.ContributingEquipmentSequence
    written = datetime.strptime(f"{made.ContentDate}{made.ContentTime}"[:14], "%Y%m%d%H%M%S")
    told = datetime.fromisoformat(case.job["received_at"])
    assert abs(written - told.replace(tzinfo=None)).total_seconds() < 15 * 3600
