"""The slices worth showing, and how they are shown."""

import re
from base64 import b64decode
from io import BytesIO

import numpy as np
from PIL import Image

from services.writers.key_slices import LESION_COLOUR, LUNG_COLOUR, areas, choose, draw
from services.writers.source import Mask
from shared.imaging.volume import Volume


def box(shape: tuple[int, int, int], *where: slice) -> Mask:
    mask = np.zeros(shape, np.uint8)
    mask[where] = 1
    return mask


def picture_in(svg: bytes) -> Image.Image:
    found = re.search(rb"base64,([^\"]+)", svg)
    assert found
    return Image.open(BytesIO(b64decode(found[1])))


LUNGS = box((100, 60, 80), slice(20, 80), slice(10, 50), slice(10, 70))


def test_without_lesions_the_slices_spread_over_the_lung() -> None:
    assert choose(LUNGS) == [31, 49, 67]


def test_with_lesions_the_largest_are_shown_apart_from_each_other() -> None:
    lesions = box(LUNGS.shape, slice(40, 43), slice(20, 40), slice(20, 40))
    lesions |= box(LUNGS.shape, slice(70, 71), slice(20, 30), slice(20, 30))

    assert choose(LUNGS, areas(lesions)) == [40, 49, 70]


def test_a_scan_without_lung_still_has_pictures() -> None:
    assert choose(np.zeros((8, 4, 4), np.uint8)) == [2, 4, 6]


def test_a_lung_of_one_slice_is_one_picture() -> None:
    assert choose(box((5, 4, 4), slice(2, 3), slice(1, 3), slice(1, 3))) == [2]


def test_pictures_run_from_head_to_feet() -> None:
    up = Volume(np.zeros(LUNGS.shape, np.int16), (1.0, 1.0, 2.0))
    down = Volume(up.array, up.spacing, direction=(1, 0, 0, 0, 1, 0, 0, 0, -1))

    assert [(picture.index, picture.z_mm) for picture in draw(up, LUNGS)] == [
        (67, 134.0),
        (49, 98.0),
        (31, 62.0),
    ]
    assert [(picture.index, picture.z_mm) for picture in draw(down, LUNGS)] == [
        (31, -62.0),
        (49, -98.0),
        (67, -134.0),
    ]


def test_the_picture_keeps_the_proportions_of_the_patient() -> None:
    ct = Volume(np.zeros(LUNGS.shape, np.int16), (1.0, 2.0, 2.0))
    picture = draw(ct, LUNGS)[0]

    width, height = picture_in(picture.svg).size
    assert width / height == (80 * 1.0) / (60 * 2.0)
    assert picture.width_mm == 80.0


def test_the_patients_right_is_on_the_left_whichever_way_the_rows_run() -> None:
    hu = np.full(LUNGS.shape, -1350, np.int16)
    hu[:, :, :40] = 150
    mirrored = Volume(
        np.ascontiguousarray(hu[:, ::-1, ::-1]),
        (1.0, 1.0, 2.0),
        direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1),
    )

    for ct in (Volume(hu, (1.0, 1.0, 2.0)), mirrored):
        grey = np.asarray(picture_in(draw(ct, LUNGS)[0].svg))
        assert (grey[:, :100].min(), grey[:, -100:].max()) == (255, 0)


def test_masks_are_outlined_where_they_are() -> None:
    ct = Volume(np.zeros(LUNGS.shape, np.int16), (1.0, 1.0, 2.0))
    lesions = box(LUNGS.shape, slice(49, 50), slice(20, 40), slice(20, 40))

    shown = next(picture for picture in draw(ct, LUNGS, lesions) if picture.index == 49)

    paths = dict(re.findall(r'<path d="M([^"]+)Z" fill="([^"]+)"', shown.svg.decode()))
    outlines = {
        colour: np.array([[float(n) for n in point.split()] for point in path.split("L")])
        for path, colour in paths.items()
    }
    scale = 640 / 80
    assert np.allclose(outlines[LUNG_COLOUR].min(axis=0), [10 * scale] * 2, atol=scale / 2)
    assert np.allclose(outlines[LESION_COLOUR].min(axis=0), [20 * scale] * 2, atol=scale / 2)
    assert np.allclose(outlines[LESION_COLOUR].max(axis=0), [40 * scale] * 2, atol=scale / 2)
    assert shown.lesion_ml == 400 * 2 / 1000
