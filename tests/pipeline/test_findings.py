"""What is planted is what is written: no lesion, one voxel of it, and lesion beside the lungs."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from phantom.dicom import series
from shared.events.models import DicomReady
from tests.pipeline.analysis import COVID, Analysis, Mask, analysed, patient, planted

Lesions = Callable[[], Mask]
OUTPUTS = {"lung-seg", "lesion-seg", "classification-report", "ratio-report"}


def empty() -> Mask:
    return np.zeros_like(patient().lungs)


def one_voxel() -> Mask:
    """One voxel in the middle of the left lung."""
    mask, lung = empty(), np.argwhere(patient().lungs == 1)
    mask[tuple(lung[len(lung) // 2])] = 1
    return mask


def outside() -> Mask:
    """A cube of 27 voxels in the corner of the image, far from the chest."""
    mask = empty()
    mask[10:13, 1:4, 1:4] = 1
    return mask


def real_ones() -> Mask:
    return patient().lesions


async def with_lesions(lesions: Mask) -> Analysis:
    return await analysed(series(patient()), planted(patient().lungs, lesions))


@pytest.mark.parametrize("lesions", [empty, one_voxel, outside, real_ones])
async def test_the_masks_and_segmentations_hold_what_was_planted(lesions: Lesions) -> None:
    analysis = await with_lesions(lesions())

    assert analysis.failures() == {}
    assert np.array_equal(analysis.volume("lung-seg.mask").array, patient().lungs)
    assert np.array_equal(analysis.volume("lesion-seg.mask").array, lesions())
    assert np.array_equal(by_position(analysis.dicom("lung-seg"), analysis), patient().lungs)
    assert np.array_equal(by_position(analysis.dicom("lesion-seg"), analysis), lesions())


@pytest.mark.parametrize("lesions", [empty, one_voxel, outside, real_ones])
async def test_the_ratio_is_that_of_an_independent_count(lesions: Lesions) -> None:
    analysis = await with_lesions(lesions())

    measured = analysis.measurement()
    lung, lesion = patient().lungs > 0, lesions() > 0
    ml = float(np.prod(patient().spacing)) / 1000
    assert measured.whole.ratio_percent == pytest.approx(
        100 * np.count_nonzero(lung & lesion) / np.count_nonzero(lung), abs=1e-6
    )
    assert measured.whole.lung_ml == pytest.approx(np.count_nonzero(lung) * ml)
    assert measured.whole.lesion_ml == pytest.approx(np.count_nonzero(lung & lesion) * ml)
    assert measured.lesion_outside_ml == pytest.approx(np.count_nonzero(lesion & ~lung) * ml)


@pytest.mark.parametrize(
    ("lesions", "said", "unsaid"),
    [
        (empty, ["0 %", "The model found no lesion in the lungs."], ["outside the lungs"]),
        (one_voxel, ["< 0.1 %"], ["found no lesion", "outside the lungs"]),
        (outside, ["0 %", "5.8 ml were marked as lesion outside"], ["found no lesion."]),
        (real_ones, ["ml of"], ["found no lesion"]),
    ],
)
async def test_the_report_says_so(
    lesions: Lesions, said: list[str], unsaid: list[str], tmp_path: Path
) -> None:
    text = text_of((await with_lesions(lesions())).dicom("ratio-report"), tmp_path)

    assert [words for words in said if words not in text] == []
    assert [words for words in unsaid if words in text] == []


async def test_the_classification_is_written_as_it_was_given(tmp_path: Path) -> None:
    analysis = await with_lesions(real_ones())

    csv = analysis.store.get(analysis.payload("classifier.csv")).decode()
    text = text_of(analysis.dicom("classification-report"), tmp_path)
    assert csv == f"class,probability\nnon-COVID-19,{1 - COVID:.6f}\nCOVID-19,{COVID:.6f}\n"
    assert "75 %" in text or "75.0 %" in text


async def test_two_runs_in_two_places_are_byte_for_byte_the_same() -> None:
    one, other = await with_lesions(real_ones()), await with_lesions(real_ones())

    assert one.artifacts() == other.artifacts()
    assert {made.output for made in one.told(DicomReady)} == OUTPUTS


def by_position(dicom: Dataset, analysis: Analysis) -> Mask:
    """The mask that a SEG holds, each frame put where its own position says."""
    grid = analysis.volume("reader.volume")
    mask = np.zeros(grid.array.shape, np.uint8)
    [shared] = dicom.SharedFunctionalGroupsSequence
    frames = dicom.pixel_array.reshape(-1, dicom.Rows, dicom.Columns)
    for frame, item in zip(frames, dicom.PerFrameFunctionalGroupsSequence, strict=True):
        position = np.array(item.PlanePositionSequence[0].ImagePositionPatient, float)
        plane = round((position[2] - grid.origin[2]) / grid.spacing[2])
        assert np.allclose(position[:2], grid.origin[:2], atol=1e-3)
        named = item if "SegmentIdentificationSequence" in item else shared
        number = named.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        mask[plane][frame > 0] = number
    return mask


def text_of(report: Dataset, scratch: Path) -> str:
    """The words on a report's pages."""
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not installed (Debian: poppler-utils)")
    pdf = scratch / "report.pdf"
    pdf.write_bytes(report.EncapsulatedDocument[: report.EncapsulatedDocumentLength])
    ran = subprocess.run(["pdftotext", pdf, "-"], capture_output=True, check=True)
    return " ".join(ran.stdout.decode().replace("\u00a0", " ").split())
