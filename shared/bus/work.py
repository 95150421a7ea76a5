"""What the bus hands to a handler, and what the handler hands back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.events.models import Lane, PayloadRef
from shared.pipelines.definition import Definition


@dataclass(frozen=True)
class Work:
    """One unit of work: a stage of a run of a job, with its inputs gathered."""

    job_id: str
    case_id: str
    version: int
    supersedes: str | None
    run: int
    lane: Lane
    received_at: datetime
    stage: str
    operation: str
    parameters: Mapping[str, Any]
    sources: Mapping[str, str]
    """port → `stage.port` that feeds it, as the definition wires it."""
    payloads: Mapping[str, PayloadRef]
    """Every payload gathered so far, by `stage.port`."""
    warnings: tuple[str, ...]
    """Warnings of the stages before this one."""
    definition: Definition
    traceparent: str

    @property
    def deadline_s(self) -> float | None:
        """How long one attempt may take, where the definition says so; a shadow's too."""
        stage = self.definition.stages.get(self.stage.partition("~")[0])
        return stage.deadline if stage else None

    def input(self, port: str) -> PayloadRef:
        """The payload wired to a port. Raises `KeyError` when the stage has no such input."""
        return self.payloads[self.sources[port]]

    def companion(self, port: str, name: str) -> PayloadRef | None:
        """What the stage behind a port gave besides: `companion("mask", "provenance")`."""
        return self.payloads.get(f"{self.sources[port].partition('.')[0]}.{name}")


@dataclass(frozen=True)
class Produced:
    """What a handler made: payloads by port, warnings, and the fields its event adds."""

    payloads: Mapping[str, PayloadRef]
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


Handler = Callable[[Work], Produced]
"""Raises `InputRejected` or `Unavailable`; anything else it raises is a defect."""

Probe = Callable[[], None]
"""Raises `Unavailable` while the dependency is down."""


@dataclass(frozen=True)
class Ports:
    """What a worker process holds: the handler with its ports, and how to ask if they are up."""

    handle: Handler
    probes: Mapping[str, Probe]
