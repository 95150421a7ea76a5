"""Which units of work an event wakes in a service, and the inputs of each."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.bus import outcomes
from shared.bus.work import Work
from shared.events.models import Common, Lane, PayloadRef
from shared.pipelines.definition import INGEST, Definition, Stage
from shared.store.port import PayloadStore

DEFINITION = "pipeline.definition"


@dataclass(frozen=True)
class Unit:
    """A stage of this service that an event wakes; a shadow's name ends in `~service`."""

    name: str
    stage: Stage
    service: str

    @property
    def stage_name(self) -> str:
        """The stage's own name, that of a shadow too."""
        return self.name.partition("~")[0]

    @property
    def operation(self) -> str:
        return self.service.partition("/")[2] or "default"


def woken(definition: Definition, service: str, waking_stage: str) -> tuple[Unit, ...]:
    """The units that an event of `waking_stage` wakes in `service`."""
    found = []
    for name in definition.woken_by(waking_stage):
        stage = definition.stages[name]
        if stage.service_name == service:
            found.append(Unit(name, stage, stage.service))
        if stage.shadow and stage.shadow.partition("/")[0] == service:
            found.append(Unit(f"{name}~{service}", stage, stage.shadow))
    return tuple(found)


@dataclass(frozen=True)
class Gathered:
    """The payloads and warnings of everything before a unit."""

    payloads: Mapping[str, PayloadRef]
    warnings: tuple[str, ...]


def gather(
    store: PayloadStore, event: Common, definition: Definition, unit: Unit
) -> Gathered | None:
    """The inputs of a unit, or None while a stage that it joins has no successful outcome.

    Outcomes are written before events, so the last event that wakes a join finds them all. The
    order is that of the stages' names: whichever came last, the work is the same. Raises
    `NotUnderstood`.
    """
    given: dict[str, Gathered] = {event.stage: Gathered(event.payloads, event.warnings)}
    for waker in definition.wakers[unit.stage_name] - {INGEST, event.stage}:
        outcome = outcomes.understood(store, event.job_id, event.run, waker)
        if outcome is None or outcome.status != "succeeded":
            return None
        given[waker] = Gathered(outcome.payloads, outcome.warnings)
    payloads: dict[str, PayloadRef] = {}
    warnings: list[str] = []
    for _, one in sorted(given.items()):
        payloads |= one.payloads
        warnings += one.warnings
    if any(source not in payloads for source in unit.stage.inputs.values()):
        return None
    return Gathered(payloads, tuple(dict.fromkeys(warnings)))


def work_of(
    event: Common,
    definition: Definition,
    unit: Unit,
    gathered: Gathered,
    lane: Lane,
    traceparent: str,
) -> Work:
    """What the handler gets; `lane` is the one that the job has now."""
    return Work(
        job_id=event.job_id,
        case_id=event.case_id,
        version=event.version,
        supersedes=event.supersedes,
        run=event.run,
        lane=lane,
        received_at=event.received_at,
        stage=unit.name,
        operation=unit.operation,
        parameters=unit.stage.parameters,
        sources=unit.stage.inputs,
        payloads=gathered.payloads,
        warnings=gathered.warnings,
        definition=definition,
        traceparent=traceparent,
    )


def input_digests(unit: Unit, gathered: Gathered) -> dict[str, str]:
    """The sha256 of each input, and of the provenance behind it: equal means equal work.

    Of a unit that failed before all were gathered, of those that were.
    """
    found = {}
    given = {p: source for p, source in unit.stage.inputs.items() if source in gathered.payloads}
    for port, source in given.items():
        found[port] = gathered.payloads[source].sha256
        behind = gathered.payloads.get(f"{source.partition('.')[0]}.provenance")
        if behind:
            found[f"{port}.provenance"] = behind.sha256
    return found
