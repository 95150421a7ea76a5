"""How long things took, from jobs as the API has them and from what was sent. Pure."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from clarion.following import Job, seconds_between
from clarion.load.judging import codes_of, ended
from clarion.load.sending import Sent
from shared.pipelines.definition import INGEST

Sources = Mapping[str, frozenset[str]]
"""The stages that each stage takes its inputs from."""


@dataclass(frozen=True)
class Spread:
    """Percentiles of some durations, s: each is one that was measured (nearest rank)."""

    count: int
    p50: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True)
class Stage:
    """One stage over all jobs."""

    took: Spread
    """From its start to its end."""
    wait: Spread
    """From its last input's end to its start: what it stood in a queue."""
    busy: float
    """Its work in seconds for each second between the first start and the last end of any."""


@dataclass(frozen=True)
class Done:
    """A study that was sent, and one of its jobs, which has ended."""

    sent: Sent
    job: Job


def quantile(values: Sequence[float], share: float) -> float:
    """The least measured value that `share` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spread(values: Sequence[float]) -> Spread:
    """Raises ValueError when nothing was measured."""
    if not values:
        raise ValueError("nothing was measured")
    p50, p95, p99 = (round(quantile(values, share), 3) for share in (0.5, 0.95, 0.99))
    return Spread(len(values), p50, p95, p99, round(max(values), 3))


def end_to_end_s(job: Job) -> float | None:
    """From the arrival of a study's first image to the end of its job; delivery comes after."""
    return seconds_between(job["received_at"], job["finished_at"])


def by_lane(done: Iterable[Done]) -> dict[str, Spread]:
    """End to end of the jobs that completed: one that fails is soon over."""
    found: dict[str, list[float]] = defaultdict(list)
    for each in done:
        took = end_to_end_s(each.job)
        if took is not None and each.job["status"] == "completed":
            found[each.job["lane"]].append(took)
    return {lane: spread(values) for lane, values in sorted(found.items())}


def left_out(done: Iterable[Done]) -> dict[str, int]:
    """The other jobs, by status and codes."""
    jobs = (each.job for each in done if each.job["status"] != "completed")
    return dict(sorted(Counter(ended(job["status"], codes_of(job)) for job in jobs).items()))


def by_stage(done: Sequence[Done], sources: Sources) -> dict[str, Stage]:
    """Each stage that ran, in the order of the pipeline."""
    took: dict[str, list[float]] = defaultdict(list)
    waits: dict[str, list[float]] = defaultdict(list)
    for each in done:
        for name, start, end in _ran(each.job):
            took[name].append(end - start)
    for name in took:
        waits[name] = _waits(name, done, sources.get(name, frozenset()))
    moments = [moment for each in done for _, *pair in _ran(each.job) for moment in pair]
    wall = max(moments) - min(moments) if moments else 0.0
    return {
        name: Stage(spread(took[name]), spread(waits[name]), round(sum(took[name]) / wall, 3))
        for name in sorted(took, key=[*sources, *took].index)
        if wall > 0 and waits[name]
    }


def _ran(job: Job) -> list[tuple[str, float, float]]:
    """Name, start and end of the stages that computed something."""
    return [
        (stage["stage"], _moment(stage["started_at"]), _moment(stage["finished_at"]))
        for stage in job["stages"]
        if stage["started_at"] and stage["finished_at"]
    ]


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


def finished_per_h(done: Sequence[Done]) -> float | None:
    """Jobs an hour between the first end and the last; None for fewer than two."""
    ends = sorted(_moment(each.job["finished_at"]) for each in done if each.job["finished_at"])
    if len(ends) < 2 or ends[-1] <= ends[0]:
        return None
    return round((len(ends) - 1) / (ends[-1] - ends[0]) * 3600, 1)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
