"""A bundle's configuration with its references followed; nothing of it is ever run.

MONAI's configurations refer to each other with `@id` and `%id`, parts of an id joined by `#` or
`::`, and hold Python after `$`. What a bundle brings is a stranger's: of Python only literals
and sums of references are understood, and the rest is kept as an `Expression` for whoever needs
that value to refuse.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.modelrepo.refused import Refused

_SUM = re.compile(r"^\s*@[\w#:]+(\s*\+\s*@[\w#:]+)*\s*$")
_DEEPEST = 50


@dataclass(frozen=True)
class Expression:
    """Python that is not run."""

    text: str

    def __str__(self) -> str:
        return f"${self.text}"


def followed(value: Any, root: Mapping[str, Any], depth: int = 0) -> Any:
    """The value with every reference in it replaced by what it refers to.

    Raises `Refused` for a reference to nothing or in a circle.
    """
    if depth > _DEEPEST:
        raise Refused("circular-reference", "the configuration's references go in a circle")
    if isinstance(value, Mapping):
        return {key: followed(each, root, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [followed(each, root, depth + 1) for each in value]
    if isinstance(value, str) and value[:1] in {"@", "%"}:
        return followed(_found(value[1:], root), root, depth + 1)
    if isinstance(value, str) and value.startswith("$"):
        return _evaluated(value[1:], root, depth)
    return value


def _evaluated(text: str, root: Mapping[str, Any], depth: int) -> Any:
    if _SUM.match(text):
        parts = [followed(part.strip(), root, depth + 1) for part in text.split("+")]
        if len(parts) == 1:
            return parts[0]
        if all(isinstance(part, list) for part in parts):
            return [each for part in parts for each in part]
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return Expression(text)


def _found(path: str, root: Mapping[str, Any]) -> Any:
    value: Any = root
    for key in re.split(r"#|::", path):
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (KeyError, IndexError, TypeError, ValueError):
            raise Refused(
                "unknown-reference", f"the inference configuration refers to {path}, which it lacks"
            ) from None
    return value
