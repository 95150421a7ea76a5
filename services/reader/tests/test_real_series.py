"""The volume is what SimpleITK reads from the same files: every voxel, and the grid."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from services.reader.tests.conftest import Read

SERIES = (
    "chest-ct-real/cmb_crc_01068",
    "chest-ct-real/lung_dx_a0001_soft",
    "chest-ct-real/lung_dx_a0001_sharp",
    "lung-masks/cip_ct64_dicom",
)


def _by_itk(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image: sitk.Image = reader.Execute()
    return image


@pytest.mark.parametrize("series", SERIES)
def test_voxels_and_grid_are_those_of_simpleitk(series: str, read: Read, data: Path) -> None:
    ours, theirs = read(data / series).volume, _by_itk(data / series)
    assert np.array_equal(ours.array, sitk.GetArrayViewFromImage(theirs))
    assert ours.array.dtype == np.int16
    assert (ours.spacing, ours.origin, ours.direction) == (
        theirs.GetSpacing(),
        theirs.GetOrigin(),
        theirs.GetDirection(),
    )


def test_of_two_reconstructions_of_one_acquisition_the_soft_one_is_read(
    read: Read, data: Path
) -> None:
    reading = read([data / SERIES[2], data / SERIES[1]])
    assert [(stack.stack, stack.chosen, stack.reason) for stack in reading.selection.stacks] == [
        ("series 2, axial, L, 5 mm", False, "another is preferred: soft kernel"),
        ("series 3, axial, B, 5 mm", True, "preferred: soft kernel"),
    ]
    assert reading.warnings == ()


def test_a_sharp_series_alone_is_read_with_a_warning(read: Read, data: Path) -> None:
    assert read(data / SERIES[2]).warnings == ("sharp-kernel",)
