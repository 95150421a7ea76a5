"""The classifier sees the lungs, at its size and orientation."""

from dataclasses import replace

import numpy as np
import pytest

from services.classifier.crop import lung_crop
from services.classifier.expected import ClassificationParameters
from services.classifier.tests.example import SAID
from shared.imaging.model_parameters import read_parameters
from shared.imaging.tests import scenes
from shared.imaging.volume import IDENTITY, Matrix, Volume


def _expected(**changes: str) -> ClassificationParameters:
    return read_parameters(ClassificationParameters, "covid_classifier", SAID | changes)


def _chest(direction: Matrix = IDENTITY) -> tuple[Volume, Volume]:
    grid = scenes.centred((40, 64, 80), (1.0, 1.25, 2.0), direction)
    return scenes.balls(grid), grid.like(scenes.truth(grid))


def test_the_crop_holds_the_lungs_and_their_margin() -> None:
    volume, lungs = _chest()
    bright = volume.array.copy()
    z, y, x = np.nonzero(lungs.array)
    inside = np.zeros(bright.shape, bool)
    inside[z.min() - 1 : z.max() + 2, y.min() - 2 : y.max() + 3, x.min() - 2 : x.max() + 3] = True
    bright[~inside] = 3000

    crop = lung_crop(volume.like(bright), lungs, _expected(margin_mm="2"))

    assert crop.shape == (12, 16, 20)
    assert crop.max() <= 0
    assert lung_crop(volume.like(bright), lungs, _expected(margin_mm="8")).max() > 1000


@pytest.mark.parametrize("axes", [(1, 1, -1), (-1, 1, 1), (-1, -1, -1)])
def test_a_scan_stored_the_other_way_round_looks_the_same(axes: tuple[int, int, int]) -> None:
    as_dicom, lungs = _chest()
    flips = tuple(slice(None, None, sign) for sign in reversed(axes))
    stored, lungs_stored = _chest(scenes.flipped(*axes))
    assert np.array_equal(stored.array[flips], as_dicom.array)

    crop = lung_crop(stored, lungs_stored, _expected())

    np.testing.assert_allclose(crop, lung_crop(as_dicom, lungs, _expected()), atol=0.01)


def test_all_that_is_not_lung_can_be_left_out() -> None:
    volume, lungs = _chest()

    crop = lung_crop(
        volume.like(np.full_like(volume.array, 100)), lungs, _expected(mask_outside="yes")
    )

    assert crop.min() == -1000
    assert crop.max() == 100


def test_what_is_left_out_reads_as_the_model_says_to_the_fraction() -> None:
    volume, lungs = _chest()
    said = _expected(mask_outside="yes", pad_value="-158.58")

    crop = lung_crop(volume.like(np.full_like(volume.array, -500)), lungs, said)

    assert crop.max() == np.float32(-158.58)


def test_a_mask_on_another_grid_is_a_defect() -> None:
    volume, lungs = _chest()

    with pytest.raises(ValueError, match="does not lie on the volume's grid"):
        lung_crop(volume, replace(lungs, spacing=(1.0, 1.0, 1.0)), _expected())
