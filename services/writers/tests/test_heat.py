"""What moved a classifier is shown where it is, and as strongly as the model said."""

from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.writers.heat import Heat, heat_of, painted
from services.writers.key_slices import draw
from shared.imaging.resample import at_size, cropped, grid_of
from shared.imaging.saliency import none_on, on_box
from shared.imaging.volume import Volume

SHAPE = (60, 40, 48)


def _ct() -> Volume:
    return Volume(np.full(SHAPE, -1350, np.int16), (2.0, 2.0, 3.0), (5.0, -7.0, 11.0))


def _told(ct: Volume, strength: float = 0.8) -> Volume:
    """A coarse map over a box of the CT; only one of its voxels is hot."""
    box = cropped(grid_of(ct), (slice(12, 48), slice(4, 36), slice(6, 42)))
    values = np.zeros((6, 4, 3), np.float32)
    values[3, 1, 1] = strength
    return on_box(values, box)


def _lungs() -> NDArray[np.uint8]:
    lungs = np.zeros(SHAPE, np.uint8)
    lungs[12:48, 6:34, 8:40] = 1
    return lungs


def _heat(told: Volume) -> Heat:
    found = heat_of(told)
    assert found
    return found


def _grey(svg: bytes) -> NDArray[np.uint8]:
    picture = b64decode(svg.split(b"base64,")[1].split(b'"')[0])
    return np.asarray(Image.open(BytesIO(picture)).convert("L"))


def test_heat_lies_where_the_model_was_moved() -> None:
    ct = _ct()

    plane = _heat(_told(ct)).plane(ct, 33)

    # The hot voxel of the map covers rows 12 to 19 and columns 18 to 29 of the CT.
    row, column = np.unravel_index(plane.argmax(), plane.shape)
    assert row in range(12, 20)
    assert column in range(18, 30)
    assert plane.max() > 0.7
    assert plane[:4].max() == 0


def test_the_key_slices_hold_the_most_heat() -> None:
    ct = _ct()

    pictures = draw(ct, _lungs(), heat=_heat(_told(ct)))

    hottest = max(pictures, key=lambda picture: _grey(picture.svg).max())
    assert 30 <= hottest.index < 36


def test_a_scan_stored_the_other_way_round_shows_it_at_the_same_place() -> None:
    ct = _ct()
    x, y, z = grid_of(ct).point(np.array(SHAPE[::-1]) - 1.0)
    turned = Volume(ct.array, ct.spacing, (x, y, z), (-1, 0, 0, 0, -1, 0, 0, 0, -1))
    heat = _heat(_told(ct))

    as_dicom, other = heat.plane(ct, 33), heat.plane(turned, len(ct.array) - 1 - 33)

    assert as_dicom.max() > 0.7
    np.testing.assert_allclose(other[::-1, ::-1], as_dicom, atol=1e-5)


def test_a_faint_map_stays_faint_and_a_fainter_one_unpainted() -> None:
    ct = _ct()

    assert _heat(_told(ct, 0.9)).plane(ct, 33).max() > 0.7
    assert 0.3 < _heat(_told(ct, 0.25)).plane(ct, 33).max() < 0.55
    assert _heat(_told(ct, 0.04)).cold
    assert not _heat(_told(ct, 0.1)).cold


def test_a_map_without_heat_leaves_the_slices_spread_over_the_lung() -> None:
    ct = _ct()
    cold = _heat(_told(ct, 0.0))

    assert [p.index for p in draw(ct, _lungs(), heat=cold)] == [p.index for p in draw(ct, _lungs())]


def test_a_model_that_tells_no_map_has_none() -> None:
    ct = _ct()

    assert heat_of(none_on(grid_of(ct))) is None
    assert heat_of(_told(ct, 0.0)) is not None


@pytest.mark.parametrize("grey", [0, 90, 160])
def test_printed_in_grey_more_heat_is_brighter(grey: int) -> None:
    heat = np.linspace(0.5, 1, 6, dtype=np.float32)[None]

    colours = painted(np.full((1, 6), grey, np.uint8), heat)

    luminance = (colours @ np.array([0.299, 0.587, 0.114]))[0]
    assert (np.diff(luminance) > 0).all()


def test_without_heat_the_picture_stays_as_it_is() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)

    colours = painted(grey, np.zeros((3, 4), np.float32))

    assert np.array_equal(colours, np.repeat(grey[..., None], 3, axis=-1))


def test_a_map_is_over_exactly_the_box_that_the_model_saw() -> None:
    ct = _ct()
    box = cropped(grid_of(ct), (slice(12, 48), slice(4, 36), slice(6, 42)))

    grid = grid_of(_told(ct))

    assert at_size(grid, box.size) == box
