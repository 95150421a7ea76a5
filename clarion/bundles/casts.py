"""Casts of an image to another type of number: such as lose nothing, or refused."""

import re
from typing import Any

from clarion.bundles.component import Component
from clarion.bundles.intensity import Intensity
from clarion.bundles.references import Expression

_NAMED = re.compile(r"(?:(?:np|numpy|torch|__import__\([\"'](?:numpy|torch)[\"']\))\.)?(\w+)")
_REAL = {"float", "float32", "float64", "double"}
_WHOLE = {"int", "int16", "int32", "int64", "short", "long"}


def check(step: Component, *, whole: bool) -> None:
    """Raises `Refused` for a `dtype` that rounds or cuts the image.

    `whole`: the intensities are whole numbers there, as HU are, so that integers hold them.
    """
    dtype = step.as_written("dtype")
    name = _name(dtype)
    if name not in _REAL and not (whole and name in _WHOLE):
        raise step.refused(
            "not-expressible",
            f"dtype is {dtype}, which rounds or cuts the intensities that it has there",
            "write float32, or int16 or wider as long as they are HU",
        )


def is_whole(intensity: Intensity) -> bool:
    """Whether whole HU stay whole numbers: not scaled, and clipped to whole numbers if at all."""
    is_hu = (intensity.slope, intensity.offset) == (1, 0)
    return is_hu and intensity.low.is_integer() and intensity.high.is_integer()


def _name(dtype: Any) -> str:
    """The type's own name; that of the default where none is given."""
    text = dtype.text if isinstance(dtype, Expression) else str(dtype or "float32")
    named = _NAMED.fullmatch(text.strip())
    return named[1] if named else ""
