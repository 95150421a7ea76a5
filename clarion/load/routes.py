"""Which called AE title and which priority put a study into a lane, by ingest's own rules.

The lane is that of the called AE title's route, and C-STORE with high priority makes any study
stat. Bulk has no such priority, so it needs a route.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from clarion.failure import Failure
from clarion.home_settings import understood
from clarion.storage import Target
from deploy.embedded.home import Home
from services.ingest.settings import IngestSettings, Route
from shared.events.models import Lane
from shared.pipelines.definition import Definition, parse

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
    told = home.settings.environment.get("CLARION_AES")
    read = partial(IngestSettings.model_validate, {"aes": told} if told is not None else {})
    return understood(home, "aes", read, _EXAMPLE).aes


def ways(
    lanes: Iterable[Lane], aes: Mapping[str, Route], port: int, pipelines: Path
) -> dict[Lane, Way]:
    """A way into each lane. Raises Failure for a lane that no AE title leads to."""
    return {lane: _way(lane, aes, port, pipelines) for lane in lanes}


def _way(lane: Lane, aes: Mapping[str, Route], port: int, pipelines: Path) -> Way:
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
    chosen = definition(pipelines, whole[own].pipeline)
    return Way(Target(own, "127.0.0.1", port), priority, chosen)


def pipelines_of(home: Home) -> Path:
    """The folder of definitions that the home's ingest reads."""
    told = home.settings.environment.get("CLARION_PIPELINES")
    return Path(told) if told else IngestSettings().pipelines


def definition(pipelines: Path, name: str) -> Definition:
    """A pipeline as ingest reads it."""
    return parse((pipelines / f"{name}.yaml").read_text())
