"""How long each stage took, and how long its work stood ready, over all jobs of a run. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clarion.following import Job
from clarion.load.figures import Done, Spread, moment, spread
from shared.pipelines.definition import INGEST

Sources = Mapping[str, frozenset[str]]
"""The stages that each stage takes its inputs from."""


@dataclass(frozen=True)
class Stage:
    """One stage over all jobs."""

    took: Spread
    """From its start to its end."""
    wait: Spread
    """From its last input's end to its start: what it stood in a queue."""
    busy: float
    """Its work in seconds for each second between the first start and the last end of any."""
    model: str | None = None
    """What it asked Triton for."""


def by_stage(done: Sequence[Done], sources: Sources) -> dict[str, Stage]:
    """Each stage that ran, in the order of the pipeline."""
    took: dict[str, list[float]] = defaultdict(list)
    waits: dict[str, list[float]] = defaultdict(list)
    for each in done:
        for name, start, end in _ran(each.job):
            took[name].append(end - start)
    for name in took:
        waits[name] = _waits(name, done, sources.get(name, frozenset()))
    moments = [when for each in done for _, *pair in _ran(each.job) for when in pair]
    wall = max(moments) - min(moments) if moments else 0.0
    return {
        name: Stage(
            took=spread(took[name]),
            wait=spread(waits[name]),
            busy=round(sum(took[name]) / wall, 3),
            model=_model(name, done),
        )
        for name in sorted(took, key=[*sources, *took].index)
        if wall > 0 and waits[name]
    }


def _ran(job: Job) -> list[tuple[str, float, float]]:
    """Name, start and end of the stages that computed something."""
    return [
        (stage["stage"], moment(stage["started_at"]), moment(stage["finished_at"]))
        for stage in job["stages"]
        if stage["started_at"] and stage["finished_at"]
    ]


def _model(name: str, done: Iterable[Done]) -> str | None:
    """The model that a stage asked for."""
    stages = (stage for each in done for stage in each.job["stages"] if stage["stage"] == name)
    return next((stage["model"]["name"] for stage in stages if stage.get("model")), None)


def _waits(name: str, done: Sequence[Done], before: frozenset[str]) -> list[float]:
    """How long a stage's work stood ready, in each job.

    Behind ingest, where the job does not say when it became ready, the quiet time is left out:
    the shortest time from the sender's last image to the start, among senders that behaved alike.
    A version that began before the sender ended waited for nobody.
    """
    raw: dict[str, list[float]] = defaultdict(list)
    for each in done:
        stages = {stage: (start, end) for stage, start, end in _ran(each.job)}
        if name not in stages:
            continue
        start = stages[name][0]
        ends = [stages[source][1] for source in before if source in stages]
        if ends:
            raw[""].append(max(0.0, start - max(ends)))
        elif before <= {INGEST} and start >= each.sent.ended:
            raw[each.sent.order.fault].append(start - each.sent.ended)
        else:
            raw[""].append(0.0)
    least = {kind: min(found) if kind else 0.0 for kind, found in raw.items()}
    return [value - least[kind] for kind, found in raw.items() for value in found]
