"""What stands of a run, from the facts about its stages: pure, and the same in any order."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.events.models import ReasonModel
from shared.pipelines.definition import INGEST, Definition

StageStatus = Literal["waiting", "succeeded", "reused", "failed", "refused", "skipped"]
JobStatus = Literal[
    "running", "completed", "partial", "refused", "failed", "cancelled", "superseded"
]
OutputStatus = Literal["made", "failed", "skipped"]
Stop = Literal["deadline", "cancelled", "superseded"]

DEADLINE = ReasonModel(code="deadline")

_DONE = ("succeeded", "reused")
_ENDED_BADLY = ("failed", "refused")
_OUTPUT: Mapping[StageStatus, OutputStatus] = {
    "succeeded": "made",
    "reused": "made",
    "failed": "failed",
    "refused": "failed",
    "skipped": "skipped",
}


@dataclass(frozen=True)
class StageFact:
    """How one stage of a run ended, as its event says."""

    status: Literal["succeeded", "reused", "failed", "refused"]
    reasons: tuple[ReasonModel, ...] = ()


@dataclass(frozen=True)
class Holder:
    """A stage that has had all its inputs since then, and has not ended."""

    stage: str
    service: str
    since: datetime


@dataclass(frozen=True)
class Progress:
    """Where a run stands; `outputs` holds those that are decided."""

    status: JobStatus
    stages: Mapping[str, StageStatus]
    outputs: Mapping[str, OutputStatus]
    reasons: tuple[ReasonModel, ...]


def judge(
    definition: Definition, facts: Mapping[str, StageFact], stop: Stop | None = None
) -> Progress:
    """The run's progress; finished when each output is made, has failed or is skipped.

    `stop` ends a run that is not: a cancelled or superseded one delivers nothing, whatever was
    made; a deadline counts as a defect of the stages that could have run, and only while
    something is undecided. Facts about stages that the definition lacks (shadows) count nothing.
    """
    stages = _stages(definition, facts)
    outputs = _outputs(definition, stages)
    late = stop == "deadline" and len(outputs) < len(definition.outputs)
    if stop and (late or stop != "deadline"):
        stages = {
            name: _stopped(definition, stages, name, late) if status == "waiting" else status
            for name, status in stages.items()
        }
        outputs = _outputs(definition, stages)
    status = _status(definition, stages, outputs, stop, late)
    reasons = _reasons(stages, facts, status)
    if late:
        reasons = (*reasons, DEADLINE)
    return Progress(status, stages, outputs, reasons)


def delivers(definition: Definition, status: JobStatus) -> bool:
    """Whether what such a run has made goes out."""
    if status in ("partial", "failed"):
        return definition.on_failure == "deliver-what-is-made"
    return status == "completed"


def holders(
    definition: Definition,
    facts: Mapping[str, StageFact],
    ends: Mapping[str, datetime],
    began: datetime,
) -> tuple[Holder, ...]:
    """The stages whose turn it is: waiting, with every input made. `ends` says when stages ended,
    as far as that is known; `began`, when the run did.
    """
    stages = judge(definition, facts).stages
    return tuple(
        Holder(name, definition.stages[name].service_name, _since(definition, name, ends, began))
        for name, status in stages.items()
        if status == "waiting" and _has_inputs(definition, stages, name)
    )


def _since(
    definition: Definition, stage: str, ends: Mapping[str, datetime], began: datetime
) -> datetime:
    sources = definition.sources[stage] & ends.keys()
    return max((ends[source] for source in sources), default=began)


def _has_inputs(definition: Definition, stages: Mapping[str, StageStatus], name: str) -> bool:
    return all(source == INGEST or stages[source] in _DONE for source in definition.sources[name])


def _stages(definition: Definition, facts: Mapping[str, StageFact]) -> dict[str, StageStatus]:
    lost = {name for name, fact in facts.items() if fact.status in _ENDED_BADLY}
    found: dict[str, StageStatus] = {}
    for name in definition.stages:
        if name in facts:
            found[name] = facts[name].status
        else:
            found[name] = "skipped" if lost & definition.ancestors[name] else "waiting"
    return found


def _stopped(
    definition: Definition, stages: Mapping[str, StageStatus], name: str, late: bool
) -> StageStatus:
    """A late stage that had all its inputs has failed; one that never got them is skipped."""
    return "failed" if late and _has_inputs(definition, stages, name) else "skipped"


def _outputs(definition: Definition, stages: Mapping[str, StageStatus]) -> dict[str, OutputStatus]:
    of = {
        name: stages[output.source.partition(".")[0]] for name, output in definition.outputs.items()
    }
    return {name: _OUTPUT[status] for name, status in of.items() if status != "waiting"}


def _status(
    definition: Definition,
    stages: Mapping[str, StageStatus],
    outputs: Mapping[str, OutputStatus],
    stop: Stop | None,
    late: bool,
) -> JobStatus:
    if stop == "cancelled" or stop == "superseded":
        return stop
    if len(outputs) < len(definition.outputs):
        return "running"
    if "refused" in stages.values():
        return "refused"
    made = sum(status == "made" for status in outputs.values())
    if late or not made:
        return "failed"
    return "completed" if made == len(outputs) else "partial"


def _reasons(
    stages: Mapping[str, StageStatus], facts: Mapping[str, StageFact], status: JobStatus
) -> tuple[ReasonModel, ...]:
    """In the order of the stages; a refused job names its refusals alone."""
    counted = ("refused",) if status == "refused" else _ENDED_BADLY
    found: list[ReasonModel] = []
    for name in stages:
        if name in facts and facts[name].status in counted:
            found += [reason for reason in facts[name].reasons if reason not in found]
    return tuple(found)
