"""Settings of a home as services are told them: what is wrong is said before anything starts."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from deploy.embedded.home import Home

Read = TypeVar("Read")


def understood(home: Home, field: str, read: Callable[[], Read], example: str) -> Read:
    """What `read` makes of a setting. Raises ValueError in one line where it can't be read.

    `read` may meet other settings of this process' own environment, which are at fault then.
    """
    try:
        return read()
    except ValidationError as error:
        faults = [each for each in error.errors() if each["loc"][0] == field]
        name = field if faults else str(error.errors()[0]["loc"][0])
        what = "; ".join(map(_fault, faults or error.errors()[:1]))
        variable = f"CLARION_{name.upper()}"
        is_told = variable in home.settings.environment
        where = home.folder / "settings.yaml" if is_told else "the environment"
        remedy = f"; write it as {example}" if faults else ""
        code = f"wrong-{name.replace('_', '-')}"
        raise ValueError(f"{where}: {code}: {variable}: {what}{remedy}") from None


def _fault(each: ErrorDetails) -> str:
    """What is wrong, with its place, such as `pacs.port`."""
    place = ".".join(map(str, each["loc"][1:]))
    what = each["msg"].removeprefix("Value error, ")
    return f"{place}: {what}" if place else what
