"""Settings of a home as services are told them: what is wrong is said before anything starts."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError

from deploy.embedded.home import Home

Read = TypeVar("Read")


def understood(home: Home, variable: str, read: Callable[[], Read], example: str) -> Read:
    """What `read` makes of a variable. Raises ValueError in one line where it can't be read."""
    try:
        return read()
    except ValidationError as error:
        code = f"wrong-{variable.removeprefix('CLARION_').lower()}"
        raise ValueError(
            f"{home.folder / 'settings.yaml'}: {code}: {variable}: {_what_is_wrong(error)}; "
            f"write it as {example}"
        ) from None


def _what_is_wrong(error: ValidationError) -> str:
    """Each fault with its place, such as `pacs.port`."""
    places = (
        (".".join(map(str, each["loc"][1:])), each["msg"].removeprefix("Value error, "))
        for each in error.errors()
    )
    return "; ".join(f"{place}: {what}" if place else what for place, what in places)
