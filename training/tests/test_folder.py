"""A folder's masks lie where their CT lies, in whatever order a file holds the voxels."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid

from phantom import Recipe, draw
from phantom.dicom import series, write
from shared.imaging.volume import to_sitk
from training.evaluation.folder import cases_in, read_ct
from training.evaluation.problem import BadInput

CHEST = draw(Recipe(seed=3, shape=(50, 24, 30), spacing=(5.0, 14.0, 12.0)))


def _flipped(mask: sitk.Image) -> sitk.Image:
    return cast(sitk.Image, sitk.Flip(mask, [False, True, False]))


def _permuted(mask: sitk.Image) -> sitk.Image:
    flipped = sitk.Flip(mask, [True, False, True])
    return cast(sitk.Image, sitk.PermuteAxes(flipped, [2, 0, 1]))


def _turned(mask: sitk.Image) -> sitk.Image:
    c, s = np.cos(0.1), np.sin(0.1)
    mask.SetDirection((c, -s, 0, s, c, 0, 0, 0, 1))
    return mask


def _mirrored(mask: sitk.Image) -> sitk.Image:
    mask.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
    return mask


def put(folder: Path, made: Callable[[sitk.Image], sitk.Image]) -> None:
    """A case of DICOM files whose lungs lie beside it as NIfTI."""
    write(series(CHEST), folder / "a")
    lungs = read_ct(folder / "a").like((CHEST.lungs > 0).astype(np.uint8))
    sitk.WriteImage(made(to_sitk(lungs)), str(folder / "a.mask.nii.gz"))


@pytest.mark.parametrize("stored", [lambda mask: mask, _flipped, _permuted])
def test_a_mask_in_another_order_is_brought_to_its_ct(
    tmp_path: Path, stored: Callable[[sitk.Image], sitk.Image]
) -> None:
    put(tmp_path, stored)

    (case,) = cases_in(tmp_path, "lung", None)

    assert np.array_equal(np.asarray(case.lungs), CHEST.lungs > 0)


def test_a_mask_that_lies_a_little_elsewhere_is_refused_with_how_far(tmp_path: Path) -> None:
    def moved(mask: sitk.Image) -> sitk.Image:
        x, y, z = mask.GetOrigin()
        mask.SetOrigin((x + 0.02, y, z))
        return mask

    put(tmp_path, moved)

    with pytest.raises(BadInput, match=r"up to 0\.02 mm away; resample the mask"):
        list(cases_in(tmp_path, "lung", None))


def test_a_ct_at_45_degrees_is_read_with_its_mask(tmp_path: Path) -> None:
    c = np.cos(np.radians(45))
    ct = sitk.GetImageFromArray(np.zeros((4, 5, 6), np.int16))
    ct.SetDirection((c, -c, 0, c, c, 0, 0, 0, 1))
    sitk.WriteImage(ct, str(tmp_path / "a.nrrd"))
    sitk.WriteImage(_flipped(ct + 1), str(tmp_path / "a.mask.nrrd"))

    (case,) = cases_in(tmp_path, "lung", None)

    assert np.all(np.asarray(case.lungs) == 1)


def test_a_folder_is_read_as_on_a_disc_without_its_directory(tmp_path: Path) -> None:
    put(tmp_path, lambda mask: mask)
    (tmp_path / "a" / "IMAGES").mkdir()
    for path in [*(tmp_path / "a").glob("*.dcm")]:
        path.rename(tmp_path / "a" / "IMAGES" / path.name)
        (tmp_path / "a" / "IMAGES" / f"._{path.name}").write_bytes(b"\0\5\x16\7")
    directory = Dataset()
    directory.FileSetID = "DISC"
    directory.DirectoryRecordSequence = []
    directory.file_meta = FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    pydicom.dcmwrite(tmp_path / "a" / "DICOMDIR", directory, enforce_file_format=True)

    (case,) = cases_in(tmp_path, "lung", None)

    assert case.ct.array.shape == CHEST.lungs.shape


def test_a_folder_of_dicom_without_a_mask_is_missed(tmp_path: Path) -> None:
    put(tmp_path, lambda mask: mask)
    (tmp_path / "a.mask.nii.gz").unlink()

    with pytest.raises(BadInput) as refused:
        cases_in(tmp_path, "lung", None)

    assert refused.value.code == "mask-missing"


@pytest.mark.parametrize("stored", [_turned, _mirrored])
def test_a_mask_that_lies_elsewhere_is_refused_with_how_both_lie(
    tmp_path: Path, stored: Callable[[sitk.Image], sitk.Image]
) -> None:
    put(tmp_path, stored)

    with pytest.raises(BadInput, match=r"along \(1 0 0, 0 1 0, 0 0 1\)") as refused:
        list(cases_in(tmp_path, "lung", None))

    assert refused.value.code == "grids-differ"
