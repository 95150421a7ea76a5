"""A folder's masks lie where their CT lies, in whatever order a file holds the voxels."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

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


@pytest.mark.parametrize("stored", [_turned, _mirrored])
def test_a_mask_that_lies_elsewhere_is_refused_with_how_both_lie(
    tmp_path: Path, stored: Callable[[sitk.Image], sitk.Image]
) -> None:
    put(tmp_path, stored)

    with pytest.raises(BadInput, match=r"along \(1 0 0, 0 1 0, 0 0 1\)") as refused:
        list(cases_in(tmp_path, "lung", None))

    assert refused.value.code == "grids-differ"
