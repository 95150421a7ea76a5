"""Which called AE title and which priority put a study into a lane, by ingest's own rules.

The lane is that of the called AE title's route, and C-STORE with high priority makes any study
stat. Bulk has no such priority, so it needs a route.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from math import inf
from pathlib import Path

import yaml

from clarion.failure import Failure
from clarion.home_settings import understood
from clarion.storage import Target
from deploy.embedded.cache import REPOSITORY
from deploy.embedded.home import Home
from services.ingest.settings import IngestSettings, Route
from shared.events.models import Lane
from shared.pipelines.definition import Definition, parse

_EXAMPLE = '{"COVID19": {"pipeline": "covid19-ct"}}'
_USUAL = Route(pipeline="covid19-ct")


@dataclass(frozen=True)
class Way:
    """Where a study of a lane is sent, and with which priority."""

    target: Target
    priority: Lane
    definition: Definition
    """Of the pipeline that it leads to."""


def routes(home: Home) -> Mapping[str, Route]:
    """The AE titles of the home's ingest.

    Raises ValueError where they can't be read, or name a pipeline that there is not.
    """
    told = home.settings.environment.get("CLARION_AES")
    read = partial(IngestSettings.model_validate, {"aes": told} if told is not None else {})
    aes = understood(home, "aes", read, _EXAMPLE).aes
    _require_pipelines(home, aes)
    return aes


def _require_pipelines(home: Home, aes: Mapping[str, Route]) -> None:
    folder = pipelines_of(home)
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    wrong = [
        f"{title} names the pipeline {route.pipeline}"
        for title, route in aes.items()
        if route.pipeline not in known
    ]
    if wrong:
        raise ValueError(
            f"{home.folder / 'settings.yaml'}: unknown-pipeline: CLARION_AES: {'; '.join(wrong)}; "
            f"there is {', '.join(known) or 'none'} in {folder}"
        )


def stands_for(route: Route) -> str:
    """What an AE title stands for, in words."""
    return f"{route.pipeline}, {route.lane}"


def as_setting(aes: Mapping[str, Route]) -> str:
    """The lines of a home's settings.yaml that have these AE titles served, and no other."""
    said = {
        title: route.model_dump(mode="json", exclude_defaults=True) for title, route in aes.items()
    }
    value = _yaml(said, in_one_line=True)
    return _yaml({"environment": {"CLARION_AES": value}})


def _yaml(content: object, in_one_line: bool = False) -> str:
    dumped: str = yaml.safe_dump(
        content, default_flow_style=in_one_line, sort_keys=False, width=inf
    )
    return dumped.strip()


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
            f"lane-without-route: no AE title leads to the lane {lane}; CLARION_AES in the home's "
            "settings.yaml names all that are served. With one more, for the next start:\n"
            f"{as_setting(_with_one_more(aes, lane))}"
        )
    priority = Lane.STAT if whole[own].lane != lane else Lane.ROUTINE
    chosen = definition(pipelines, whole[own].pipeline)
    return Way(Target(own, "127.0.0.1", port), priority, chosen)


def _with_one_more(aes: Mapping[str, Route], lane: Lane) -> dict[str, Route]:
    """What is served now, and another AE title that leads a study to the lane."""
    free = (f"LOAD{number}" if number > 1 else "LOAD" for number in count(1))
    title = next(each for each in free if each not in aes)
    pipeline = next(iter(aes.values()), _USUAL).pipeline
    return {**aes, title: Route(pipeline=pipeline, lane=lane)}


def pipelines_of(home: Home) -> Path:
    """The folder of definitions that ingest reads; a relative path is the repository's."""
    told = home.settings.environment.get("CLARION_PIPELINES")
    return REPOSITORY / told if told else IngestSettings().pipelines


def definition(pipelines: Path, name: str) -> Definition:
    """A pipeline as ingest reads it."""
    return parse((pipelines / f"{name}.yaml").read_text())
