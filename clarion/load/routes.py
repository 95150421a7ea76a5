"""Which called AE title and which priority put a study into a lane, by ingest's own rules.

The lane is that of the called AE title's route, and C-STORE with high priority makes any study
stat. Bulk has no such priority, so it needs a route.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from clarion.failure import Failure
from clarion.home_settings import understood
from clarion.storage import Target
from deploy.embedded.home import Home
from services.ingest.settings import IngestSettings, Route
from shared.events.models import Lane
from shared.pipelines.definition import Definition, parse

_VARIABLE = "CLARION_AES"
_EXAMPLE = '{"COVID19": {"pipeline": "covid19-ct"}}'


@dataclass(frozen=True)
class Way:
    """Where a study of a lane is sent, and with which priority."""

    target: Target
    priority: Lane
    definition: Definition
    """Of the pipeline that it leads to."""


def routes(home: Home) -> Mapping[str, Route]:
    """The AE titles of the home's ingest. Raises ValueError where they can't be read."""
    told = home.settings.environment.get(_VARIABLE)
    read = partial(IngestSettings.model_validate, {"aes": told} if told else {})
    return understood(home, _VARIABLE, read, _EXAMPLE).aes


def ways(lanes: Iterable[Lane], aes: Mapping[str, Route], port: int) -> dict[Lane, Way]:
    """A way into each lane. Raises Failure for a lane that no AE title leads to."""
    return {lane: _way(lane, aes, port) for lane in lanes}


def _way(lane: Lane, aes: Mapping[str, Route], port: int) -> Way:
    whole = {title: route for title, route in aes.items() if route.group == "study"}
    own = next((title for title, route in whole.items() if route.lane == lane), None)
    if own is None and lane is Lane.STAT:
        own = next(iter(whole), None)
    if own is None:
        raise Failure(
            f"lane-without-route: no AE title leads to the lane {lane}; add one to CLARION_AES "
            f"in the home's settings.yaml, as {{LOAD: {{pipeline: covid19-ct, lane: {lane}}}}}"
        )
    priority = Lane.STAT if whole[own].lane != lane else Lane.ROUTINE
    return Way(Target(own, "127.0.0.1", port), priority, definition(whole[own].pipeline))


def definition(pipeline: str) -> Definition:
    """The pipeline as ingest reads it."""
    return parse((IngestSettings().pipelines / f"{pipeline}.yaml").read_text())
