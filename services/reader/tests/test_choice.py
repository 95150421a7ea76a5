"""The rules of a definition, and the names of kernels."""

import pytest

from services.reader import choice, tolerance
from services.reader.kernels import Sharpness, sharpness


@pytest.mark.parametrize("kernel", ["B", "B30F", "BR40D\\3", "I31F\\2", "STANDARD", "STD+", "FC08"])
def test_soft_kernels(kernel: str) -> None:
    assert sharpness(kernel) == Sharpness.SOFT


@pytest.mark.parametrize("kernel", ["L", "B60F", "B70S", "BL57D\\3", "LUNG", "BONE", "FC51", "YA"])
def test_sharp_kernels(kernel: str) -> None:
    assert sharpness(kernel) == Sharpness.SHARP


@pytest.mark.parametrize("kernel", ["", "31", "XRES"])
def test_kernels_that_no_table_knows(kernel: str) -> None:
    assert sharpness(kernel) == Sharpness.UNKNOWN


def test_a_rule_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match="thinnest"):
        choice.parse(["axial", "thinnest"])


def test_a_misspelt_tolerance_is_an_error() -> None:
    with pytest.raises(ValueError, match="positon"):
        tolerance.parse({"positon": "0.1 mm"})
