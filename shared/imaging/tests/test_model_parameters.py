"""A model that describes itself badly is told what is wrong."""

import pytest

from shared.imaging.model_parameters import BadModel, SegmentationParameters, read_parameters
from shared.imaging.tests.scenes import PARAMETERS
from shared.imaging.tiles import Window


def test_what_a_model_says_is_understood() -> None:
    said = PARAMETERS | {"max_tile": "160 160 160", "postprocess": "fill-holes"}

    read = read_parameters(SegmentationParameters, "lung_seg", said)

    assert read.spacing_mm == (2, 2, 2)
    assert read.labels == {0: "background", 1: "left lung", 2: "right lung"}
    assert read.foreground == {1: "left lung", 2: "right lung"}
    assert (read.max_tile, read.postprocess) == ((160, 160, 160), ("fill-holes",))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spacing_mm", "4 4"),
        ("spacing_mm", "4 0 4"),
        ("orientation", "LRS"),
        ("orientation", "XYZ"),
        ("intensity_window", "400 -1000"),
        ("intensity_range", "one two"),
        ("pad_multiple", "0"),
        ("output", "guesses"),
        ("activation", "relu"),
        ("labels", "lung"),
        ("labels", "300 lung"),
        ("threshold", "1.5"),
        ("postprocess", "smooth"),
        ("sampling", "area"),
        ("grid", "corners"),
        ("window", "96 96"),
        ("overlap", "1 0 0"),
        ("blend", "linear"),
    ],
)
def test_each_fault_is_named(key: str, value: str) -> None:
    with pytest.raises(BadModel, match=f"model lung_seg: {key}"):
        read_parameters(SegmentationParameters, "lung_seg", PARAMETERS | {key: value})


def test_what_is_missing_is_named() -> None:
    said = {key: value for key, value in PARAMETERS.items() if key != "spacing_mm"}

    with pytest.raises(BadModel, match="spacing_mm: Field required"):
        read_parameters(SegmentationParameters, "lung_seg", said)


def test_a_window_and_tiles_exclude_each_other() -> None:
    with pytest.raises(BadModel, match="neither max_tile nor pad_multiple"):
        read_parameters(SegmentationParameters, "lung_seg", PARAMETERS | {"window": "96 96 96"})


def test_a_window_is_read_with_how_it_slides() -> None:
    said = {"window": "32 96 96", "overlap": "0 0.5 0.5", "blend": "gaussian", "pad_multiple": "1"}

    read = read_parameters(SegmentationParameters, "lung_seg", PARAMETERS | said)

    assert read.sliding == Window((32, 96, 96), (0, 0.5, 0.5), "gaussian", 0.125)
