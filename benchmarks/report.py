"""How every benchmark says what it measured."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any


def tell(figures: Mapping[str, Any], as_json: bool) -> None:
    """One line of JSON, or a line for each figure; figures of parts are told below their whole."""
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        sys.stdout.writelines(_lines(figures, ""))


def _lines(figures: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}\n"
            yield from _lines(value, f"{indent}  ")
        else:
            yield f"{indent}{name:24} {value}\n"
