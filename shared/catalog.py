"""What `schemas/topics.yaml` and each `services/*/service.yaml` declare, as models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from shared.events.models import Lane

ROOT = Path(__file__).resolve().parent.parent


class Declaration(BaseModel):
    """A declaration is exact: a misspelt key is an error, not an ignored guard."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Topic(Declaration):
    """One kind of event: how long it is kept, and which port types it announces."""

    retention_hours: int | None = Field(default=None, description="None: kept (compacted)")
    lanes: bool = True
    compacted: bool = False
    event_schema: str | None = Field(default=None, alias="schema")
    carries: tuple[str, ...] = ()


class Topics(Declaration):
    """All topics of the bus; each kind has one topic per lane, with equal partitions."""

    partitions: Annotated[int, Field(ge=1)]
    topics: dict[str, Topic]

    def names(self, kind: str) -> tuple[str, ...]:
        """The topics of a kind, most urgent lane first."""
        if not self.topics[kind].lanes:
            return (f"clarion.{kind}.v1",)
        return tuple(f"clarion.{kind}.v1.{lane}" for lane in Lane)

    def kind_of(self, port_type: str) -> str | None:
        """The kind of event that announces a port type; None for types that ride along."""
        return next((k for k, t in self.topics.items() if port_type in t.carries), None)


def topic_name(kind: str, lane: Lane | None) -> str:
    """`clarion.<kind>.v1`, and the lane where the kind has lanes."""
    return f"clarion.{kind}.v1.{lane}" if lane else f"clarion.{kind}.v1"


def topic_kind(topic: str) -> str:
    """The kind of event that a topic holds."""
    return topic.split(".")[1]


class Operation(Declaration):
    """The ports of one thing that a service can do, and the type of each."""

    inputs: dict[str, str] = {}
    optional: tuple[str, ...] = Field(default=(), description="inputs that a stage may leave out")
    outputs: dict[str, str] = {}


class Resources(Declaration):
    """What one replica needs."""

    workers: int = 1
    cpu: float = 0.5
    memory_mb: int = 1024
    deadline_s: float = 300


class Service(Declaration):
    """One service, as its `service.yaml` declares it."""

    service: str
    summary: str
    command: str = Field(description="started in the project's root")
    operations: dict[str, Operation] = {}
    consumes: tuple[str, ...] = ()
    publishes: tuple[str, ...] = ()
    needs: tuple[str, ...] = Field(default=(), description="dependencies: store, triton, …")
    ports: dict[str, int] = Field(default={}, description="listening ports, by name")
    spans: tuple[str, ...] = Field(default=(), description="spans that each job must show")
    resources: Resources = Resources()
    single: str = Field(default="", description="why no second replica may run beside the first")

    def operation(self, reference: str) -> Operation | None:
        """`writers/seg` names an operation; `reader` the only one, called `default`."""
        return self.operations.get(reference.partition("/")[2] or "default")


Catalog = Mapping[str, Service]


def load_topics(root: Path = ROOT) -> Topics:
    """Read `schemas/topics.yaml`."""
    return Topics.model_validate(yaml.safe_load((root / "schemas/topics.yaml").read_text()))


def load_service(name: str, root: Path = ROOT) -> Service:
    """Read one `service.yaml`."""
    path = root / "services" / name / "service.yaml"
    return Service.model_validate(yaml.safe_load(path.read_text()))


def load_catalog(root: Path = ROOT) -> Catalog:
    """Read every `service.yaml`, by the service's name."""
    found = sorted(path.parent.name for path in root.glob("services/*/service.yaml"))
    return {name: load_service(name, root) for name in found}
