"""The series is one that a scanner could have written."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from phantom import Phantom, Recipe, draw
from phantom.__main__ import main
from phantom.dicom import Identity, series, write

TINY = Recipe(seed=5, shape=(6, 32, 32), spacing=(5.0, 12.0, 11.5))


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return draw(TINY)


def test_values_come_back_as_hounsfield_units(phantom: Phantom) -> None:
    for number, ds in enumerate(series(phantom)):
        hu = ds.pixel_array * ds.RescaleSlope + ds.RescaleIntercept
        np.testing.assert_array_equal(hu, phantom.hu[5 - number])


def test_positions_follow_the_spacing_and_centre_the_patient(phantom: Phantom) -> None:
    datasets = series(phantom)
    z = [float(ds.ImagePositionPatient[2]) for ds in datasets]
    assert z == [12.5, 7.5, 2.5, -2.5, -7.5, -12.5]
    first = datasets[0]
    assert first.ImageOrientationPatient == [1, 0, 0, 0, 1, 0]
    assert first.PixelSpacing == [12, 11.5]
    assert first.ImagePositionPatient[:2] == [-15.5 * 11.5, -15.5 * 12]


def test_files_are_identical_by_seed(phantom: Phantom, tmp_path: Path) -> None:
    once = write(series(phantom), tmp_path / "once")
    again = write(series(draw(TINY)), tmp_path / "again")
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]


def test_reconstructions_of_one_seed_share_study_and_frame_of_reference(phantom: Phantom) -> None:
    soft, sharp = series(phantom)[0], series(draw(replace(TINY, kernel="sharp")))[0]
    assert soft.StudyInstanceUID == sharp.StudyInstanceUID
    assert soft.FrameOfReferenceUID == sharp.FrameOfReferenceUID
    assert soft.SeriesInstanceUID != sharp.SeriesInstanceUID
    assert soft.SOPInstanceUID != sharp.SOPInstanceUID


def test_a_corrected_name_keeps_the_uids(phantom: Phantom) -> None:
    corrected = replace(Identity.of(5), patient_name="Phantom^Corrected")
    before, after = series(phantom)[0], series(phantom, corrected)[0]
    assert after.PatientName == "Phantom^Corrected"
    assert after.SOPInstanceUID == before.SOPInstanceUID


def test_padding_below_twelve_bits_is_declared(tmp_path: Path) -> None:
    (path, *_) = write(series(draw(replace(TINY, padding=-2000))), tmp_path)
    ds = pydicom.dcmread(path)
    assert ds.PixelRepresentation == 1
    assert ds.PixelPaddingValue + ds.RescaleIntercept == -2000
    assert ds.pixel_array[0, 0] == ds.PixelPaddingValue


@pytest.mark.parametrize("change", [{}, {"padding": -2000}, {"contrast": 150.0}])
def test_dciodvfy_has_nothing_to_say(change: dict[str, float], tmp_path: Path) -> None:
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    paths = write(series(draw(replace(TINY, **change))), tmp_path)  # type: ignore[arg-type]
    said = subprocess.run([tool, str(paths[0])], capture_output=True, text=True, check=False)
    assert [line for line in said.stderr.splitlines() if line.startswith(("Error", "Warn"))] == []


def test_the_command_writes_a_series_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    status = main(
        ["--out", str(tmp_path), "--slices", "3", "--size", "16", "--lesions", "0"], said.append
    )
    assert status == 0
    assert len(list(tmp_path.glob("*.dcm"))) == 3
    assert said[-1].startswith("done: Phantom^")


def test_the_command_makes_a_refused_study(tmp_path: Path) -> None:
    main(["--out", str(tmp_path), "--refusal", "too-few-slices"], lambda _: None)
    assert len(list(tmp_path.glob("*.dcm"))) == 8


def test_the_command_refuses_nonsense(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--out", str(tmp_path), "--size", "2"])
    assert ended.value.code == 2
