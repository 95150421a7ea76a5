"""Settings of a home as services are told them: what is wrong is said before anything starts."""

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

from deploy.embedded.home import Home, HomeSettings
from deploy.embedded.programs import shared_environment
from shared.catalog import Catalog

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


def unknown_names(home: Home, catalog: Catalog) -> dict[str, str]:
    """The variables CLARION_… of the home that no part of the system reads, each with what to say.

    None where a service declares its settings in another way than ours do.
    """
    try:
        known = _names(home, catalog)
    except ModuleNotFoundError:
        return {}
    told = [name for name in home.settings.environment if name.startswith("CLARION_")]
    return {
        name: f"unknown-setting: no setting has this name; the nearest is {_nearest(name, known)}"
        for name in told
        if name.upper() not in known
    }


def _names(home: Home, catalog: Catalog) -> set[str]:
    """Of all settings, and what every process is told besides."""
    places = ["deploy.embedded.pacs", *(f"services.{name}.settings" for name in catalog)]
    made = [each for place in places for each in vars(import_module(place)).values()]
    models = [each for each in made if isinstance(each, type) and issubclass(each, BaseSettings)]
    fields = {
        f"{model.model_config.get('env_prefix', '')}{field}".upper()
        for model in models
        for field in model.model_fields
    }
    return fields | shared_environment(replace(home, settings=HomeSettings())).keys()


def _nearest(name: str, known: set[str]) -> str:
    return get_close_matches(name, sorted(known), n=1, cutoff=0)[0]


def _fault(each: ErrorDetails) -> str:
    """What is wrong, with its place, such as `pacs.port`."""
    place = ".".join(map(str, each["loc"][1:]))
    what = each["msg"].removeprefix("Value error, ")
    return f"{place}: {what}" if place else what
