"""Quantities with units as people write them in a pipeline definition: `15 min`, `0.1 mm`."""

import re

_SECONDS = {"s": 1, "sec": 1, "min": 60, "h": 3600}
_QUANTITY = re.compile(r"^\s*([0-9.eE+-]+)\s*([a-zA-Z]*)\s*$")


def split(text: str | float) -> tuple[float, str]:
    """The number and the unit. Raises `ValueError` when the text is no quantity."""
    match = _QUANTITY.match(str(text))
    if not match:
        raise ValueError(f"{text!r} is not a number with a unit, such as '15 min'")
    return float(match[1]), match[2]


def number(text: str | float) -> float:
    """The number alone, its unit having been named in the key's documentation."""
    return split(text)[0]


def in_seconds(text: str | float) -> float:
    """A duration in seconds. Raises `ValueError` for an unknown unit."""
    value, unit = split(text)
    if unit and unit not in _SECONDS:
        raise ValueError(f"{text!r} is no duration: use s, min or h")
    return value * _SECONDS.get(unit, 1)
