"""A pipeline definition: which service makes each stage, from what, and where outputs go."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.pipelines.quantities import in_seconds

INGEST = "ingest"
"""The stage that every pipeline begins with; it gives `ingest.manifest`."""


class Part(BaseModel):
    """A part of a definition is exact: an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Seconds = Annotated[float, BeforeValidator(in_seconds), Field(gt=0, description="seconds")]


class InputRules(Part):
    """Which instances make a version, which series is analysed, and how exact it must be."""

    admit: dict[str, tuple[str, ...]]
    choose: tuple[str, ...] = ()
    tolerance: dict[str, str | float | int] = {}


class Stage(Part):
    """One unit of work of every job: `inputs` maps a port to `stage.port` of another."""

    service: str
    shadow: str | None = None
    inputs: dict[str, str]
    parameters: dict[str, Any] = {}
    deadline: Seconds | None = None
    """For one attempt; where the service has a shorter one of its own, that holds."""

    @property
    def service_name(self) -> str:
        return self.service.partition("/")[0]


class Output(Part):
    """What counts as a result of the job."""

    source: str = Field(alias="from")
    kind: str


class Definition(Part):
    """A whole pipeline."""

    pipeline: str
    deadline: Seconds
    input: InputRules
    stages: dict[str, Stage]
    outputs: dict[str, Output]
    deliver: dict[str, tuple[str, ...]] = {}
    on_failure: Literal["deliver-what-is-made", "deliver-nothing"] = "deliver-what-is-made"

    @cached_property
    def sources(self) -> Mapping[str, frozenset[str]]:
        """The stages that each stage takes its inputs from, `ingest` included."""
        return {
            name: frozenset(source.partition(".")[0] for source in stage.inputs.values())
            for name, stage in self.stages.items()
        }

    @cached_property
    def ancestors(self) -> Mapping[str, frozenset[str]]:
        """All stages that lie before each stage."""
        found: dict[str, frozenset[str]] = {INGEST: frozenset()}

        def of(name: str, path: tuple[str, ...]) -> frozenset[str]:
            if name in path or (name not in self.sources and name != INGEST):
                return frozenset()
            if name not in found:
                direct = self.sources[name]
                found[name] = direct.union(*(of(source, (*path, name)) for source in direct))
            return found[name]

        return {name: of(name, ()) for name in self.stages}

    @cached_property
    def wakers(self) -> Mapping[str, frozenset[str]]:
        """The stages whose events wake each stage: inputs that are no ancestor of another."""
        return {
            name: frozenset(
                source
                for source in sources
                if not any(source in self.ancestors.get(other, ()) for other in sources)
            )
            for name, sources in self.sources.items()
        }

    def woken_by(self, stage: str) -> tuple[str, ...]:
        """The stages that an event of `stage` wakes."""
        return tuple(name for name, wakers in self.wakers.items() if stage in wakers)

    def behind(self, stage: str) -> frozenset[str]:
        """All stages that can't run when `stage` has failed."""
        return frozenset(name for name, before in self.ancestors.items() if stage in before)


def parse(text: str | bytes) -> Definition:
    """Read a definition. Raises `pydantic.ValidationError` or `yaml.YAMLError`."""
    return Definition.model_validate(yaml.safe_load(text))
