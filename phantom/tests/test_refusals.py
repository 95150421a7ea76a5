"""Each study has the defect that it is named after, and can be sent all the same."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from phantom.refusals import REFUSALS, STUDIES
from phantom.warned import WARNINGS

CODES = (
    "corrupt-instance mixed-patient no-image not-ct localizer derived-image no-pixel-data "
    "unsupported-transfer-syntax no-frame-of-reference not-hu not-axial gantry-tilt "
    "inconsistent-geometry duplicate-positions missing-slices spacing-too-wide too-few-slices "
    "too-large lungs-not-found lungs-truncated contrast sharp-kernel lossy-compressed under-18 "
    "prone"
)
SEED = 2


def study(code: str) -> list[Dataset]:
    return STUDIES[code](SEED)


def normals(datasets: list[Dataset]) -> np.ndarray:
    cosines = np.array([ds.ImageOrientationPatient for ds in datasets], dtype=float)
    return np.cross(cosines[:, :3], cosines[:, 3:])


def positions(datasets: list[Dataset]) -> np.ndarray:
    return np.array([ds.ImagePositionPatient for ds in datasets], dtype=float)


def test_every_code_has_a_study() -> None:
    assert {*REFUSALS, *WARNINGS} == set(CODES.split())


@pytest.mark.parametrize("code", STUDIES)
def test_it_can_be_written_read_and_sent(code: str) -> None:
    datasets = study(code)
    assert len({ds.SOPInstanceUID for ds in datasets}) == len(datasets)
    for ds in (datasets[0], datasets[-1]):
        buffer = BytesIO()
        ds.save_as(buffer, enforce_file_format=True)
        buffer.seek(0)
        read = pydicom.dcmread(buffer)
        assert UID(read.SOPInstanceUID).is_valid
        assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
        assert read.file_meta.MediaStorageSOPClassUID == read.SOPClassUID


def test_the_same_seed_gives_the_same_study() -> None:
    assert study("duplicate-positions") == study("duplicate-positions")


def test_corrupt_instance_has_half_of_its_pixels() -> None:
    short = [ds for ds in study("corrupt-instance") if len(ds.PixelData) < 2 * ds.Rows * ds.Columns]
    assert len(short) == 1


def test_mixed_patient_has_two_in_one_study() -> None:
    datasets = study("mixed-patient")
    assert len({ds.PatientID for ds in datasets}) == 2
    assert len({ds.StudyInstanceUID for ds in datasets}) == 1


def test_no_image_is_ct_without_rows_or_pixels() -> None:
    (ds,) = study("no-image")
    assert ds.Modality == "CT"
    assert "Rows" not in ds
    assert "PixelData" not in ds


def test_not_ct_is_magnetic_resonance() -> None:
    assert {(ds.Modality, UID(ds.SOPClassUID).name) for ds in study("not-ct")} == {
        ("MR", "MR Image Storage")
    }


def test_localizer_is_a_frontal_overview() -> None:
    (ds,) = study("localizer")
    assert ds.ImageType[2] == "LOCALIZER"
    assert abs(normals([ds])[0, 1]) == 1
    assert ds.pixel_array.std() > 100


def test_derived_image_says_so() -> None:
    assert {ds.ImageType[0] for ds in study("derived-image")} == {"DERIVED"}


@pytest.mark.parametrize(
    ("code", "keyword"),
    [
        ("no-pixel-data", "PixelData"),
        ("no-frame-of-reference", "FrameOfReferenceUID"),
        ("not-hu", "RescaleSlope"),
        ("not-hu", "RescaleIntercept"),
    ],
)
def test_what_should_be_missing_is(code: str, keyword: str) -> None:
    assert not any(keyword in ds for ds in study(code))


def test_unsupported_transfer_syntax_has_no_decoder() -> None:
    ds = study("unsupported-transfer-syntax")[0]
    with pytest.raises((NotImplementedError, RuntimeError, ValueError)):
        _ = ds.pixel_array


def test_not_axial_looks_from_the_front() -> None:
    datasets = study("not-axial")
    assert np.allclose(np.abs(normals(datasets)), [0, 1, 0])
    assert np.allclose(np.diff(positions(datasets), axis=0), [0, 6, 0])


def test_gantry_tilt_leans_against_the_table() -> None:
    datasets = study("gantry-tilt")
    steps = np.diff(positions(datasets), axis=0)
    along = steps[0] / np.linalg.norm(steps[0])
    lean = np.degrees(np.arccos(abs(normals(datasets)[0] @ along)))
    assert lean == pytest.approx(18.5, abs=0.01)


def test_inconsistent_geometry_mixes_pixel_spacings() -> None:
    assert len({tuple(ds.PixelSpacing) for ds in study("inconsistent-geometry")}) == 2


def test_duplicate_positions_has_two_images_at_one() -> None:
    z = positions(study("duplicate-positions"))[:, 2]
    assert len(z) - len(set(z)) == 1


@pytest.mark.parametrize(("code", "widest"), [("missing-slices", 20.0), ("spacing-too-wide", 12.5)])
def test_gaps_are_as_wide_as_meant(code: str, widest: float) -> None:
    z = np.sort(positions(study(code))[:, 2])
    assert np.diff(z).max() == widest


def test_too_few_slices_are_fewer_than_twenty() -> None:
    assert len(study("too-few-slices")) < 20


def test_too_large_is_large_in_the_header_only() -> None:
    datasets = study("too-large")
    assert sum(ds.Rows * ds.Columns for ds in datasets) > 6e8
    assert sum(len(ds.PixelData) for ds in datasets) < 10_000


def test_lungs_not_found_is_water_in_air() -> None:
    ds = study("lungs-not-found")[12]
    hu = ds.pixel_array + float(ds.RescaleIntercept)
    assert abs(hu[28:36, 28:36].mean()) < 5
    assert not ((hu > -930) & (hu < -70)).any()


def test_warnings_are_in_the_headers() -> None:
    assert study("contrast")[0].ContrastBolusAgent
    assert study("sharp-kernel")[0].ConvolutionKernel == "LUNG"
    assert study("lossy-compressed")[0].LossyImageCompression == "01"
    assert study("under-18")[0].PatientAge == "012Y"


def test_prone_shows_the_same_patient_face_down() -> None:
    supine, prone = study("lossy-compressed")[30], study("prone")[30]
    assert prone.PatientPosition == "HFP"
    np.testing.assert_array_equal(prone.pixel_array[::-1, ::-1], supine.pixel_array)
    assert normals([prone]).tolist() == [[0, 0, 1]]
