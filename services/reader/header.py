"""Reads typed values out of a manifest's header index; a value that makes no sense is absent."""

import math
from collections.abc import Mapping
from typing import Any

Header = Mapping[str, Any]
"""Keywords of PS3.6 to JSON values, as `shared.manifest.Instance.header` holds them."""


def texts(header: Header, keyword: str) -> tuple[str, ...]:
    """The values of a text attribute, padding removed, in capitals; () when absent or empty."""
    value = header.get(keyword)
    values = value if isinstance(value, list | tuple) else [value]
    found = tuple(str(item).strip().upper() for item in values if item is not None)
    return found if any(found) else ()


def text(header: Header, keyword: str) -> str:
    """A text attribute with its values joined by a backslash; "" when absent or empty."""
    return "\\".join(texts(header, keyword))


def numbers(header: Header, keyword: str, count: int) -> tuple[float, ...] | None:
    """Exactly `count` finite numbers, or None."""
    value = header.get(keyword)
    values: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    try:
        found = tuple(float(item) for item in values)
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and all(map(math.isfinite, found)) else None


def number(header: Header, keyword: str) -> float | None:
    """One finite number, or None."""
    found = numbers(header, keyword, 1)
    return found[0] if found else None


def integer(header: Header, keyword: str) -> int:
    """A whole number; 0 when absent, which no attribute read with this means anything by."""
    return int(number(header, keyword) or 0)
