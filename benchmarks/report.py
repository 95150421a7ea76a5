"""How every benchmark says what it measured."""

import json
import sys
from collections.abc import Mapping
from typing import Any


def tell(figures: Mapping[str, Any], as_json: bool) -> None:
    """One line of JSON, or a line for each figure."""
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        sys.stdout.writelines(f"{name:16} {value}\n" for name, value in figures.items())
