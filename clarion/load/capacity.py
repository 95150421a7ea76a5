"""The highest rate that a machine holds: which rate to try next, and what a step shows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from clarion.load.report import Report

FEWEST = 4
"""Studies of a step, at least."""
MOST_STEPS = 10
_CLOSE = 1.15
"""A rate that fails this near above one that holds ends the search."""
_KEPT_UP = 0.8
"""Share of the rate at which studies must finish, or else the queue grows."""
_LATE = 0.1
"""Share of the step that the senders may be late."""
_FULL = 90.0
"""From this percentage of CPU on the machine itself is what limits."""


@dataclass(frozen=True)
class Step:
    """One rate that was tried."""

    per_h: float
    studies: int
    p95_s: float | None
    why_not: str
    """Why the machine does not hold it; empty when it does."""

    @property
    def held(self) -> bool:
        return not self.why_not


@dataclass(frozen=True)
class Limit:
    """What keeps the machine from more, most telling first, a sentence each."""

    code: str
    evidence: tuple[str, ...]


def studies_of(per_h: float, step_s: float) -> int:
    """How many studies a step of this rate sends."""
    return max(FEWEST, round(per_h / 3600 * step_s))


def next_rate(steps: Sequence[Step], first: float, limit_s: float) -> float | None:
    """Doubled until it fails (halved until it holds), then the geometric middle; None: found.

    It is not halved on where each study had the machine for itself for as long as it may take.
    """
    if not steps:
        return first
    held = best(steps)
    failed = min((step.per_h for step in steps if not step.held), default=None)
    if len(steps) >= MOST_STEPS:
        return None
    if failed is None:
        return max(step.per_h for step in steps) * 2
    if not held:
        return None if 3600 / failed >= limit_s else failed / 2
    if failed / held <= _CLOSE:
        return None
    return float((failed * held) ** 0.5)


def best(steps: Sequence[Step]) -> float:
    """The highest rate an hour that holds, below any that does not; 0: none."""
    failed = min((step.per_h for step in steps if not step.held), default=float("inf"))
    return max((step.per_h for step in steps if step.held and step.per_h < failed), default=0.0)


def judge(per_h: float, step_s: float, report: Report, limit_s: float) -> Step:
    """Whether a step held its rate: all completed, in time, as fast as they came."""
    p95 = max((lane.p95 for lane in report.lanes.values()), default=None)
    return Step(per_h, report.sending.studies, p95, _why_not(per_h, step_s, p95, report, limit_s))


def _why_not(per_h: float, step_s: float, p95: float | None, report: Report, limit_s: float) -> str:
    late = report.sending.late
    if report.sending.not_stored:
        return f"not stored: {report.sending.not_stored[0]}"
    if report.verdict.lost:
        return f"{len(report.verdict.lost)} studies not finished"
    if report.verdict.not_completed:
        found = report.verdict.not_completed
        return f"{len(found)} jobs not completed: {found[0]}"
    if p95 is None:
        return "nothing completed"
    if p95 > limit_s:
        return f"p95 is above {limit_s:g} s"
    if late and late.p95 > _LATE * step_s:
        return f"the senders are late by {late.p95:.1f} s: more of them (--senders)?"
    if report.finished_per_h is not None and report.finished_per_h < _KEPT_UP * per_h:
        return f"the queue grows: {report.finished_per_h:.0f} an hour finish"
    return ""


def what_limits(report: Report) -> Limit:
    """Read from a step at the limit: the machine, Triton, or the stage with the longest queue."""
    machine, stages = report.machine, report.stages
    evidence = [f"CPU of the machine: {machine.cpu_percent:.0f} % (every process on it counts)"]
    if stages:
        queue = max(stages, key=lambda name: stages[name].wait.p95)
        busy = max(stages, key=lambda name: stages[name].busy)
        evidence += [
            f"longest queue: {queue}, p95 {stages[queue].wait.p95:.1f} s",
            f"most busy: {busy}, {stages[busy].busy:.2f} s of work a second",
        ]
    asked = {name: queue for name, queue in machine.triton.items() if queue.requests}
    if asked:
        model = max(asked, key=lambda name: asked[name].queued_us / asked[name].requests)
        waited, computed = asked[model].queued_us, asked[model].computed_us
        requests = asked[model].requests
        evidence.append(
            f"Triton: {model} queues {waited / requests / 1000:.0f} ms a request, "
            f"computes {computed / requests / 1000:.0f} ms"
        )
    if behind := machine.backlog_most:
        service = max(behind, key=lambda name: behind[name])
        evidence.append(f"Kafka: {service} was {behind[service]} events behind at most")
    return Limit(_code(report), tuple(evidence))


def _code(report: Report) -> str:
    if report.machine.cpu_percent >= _FULL:
        return "cpu"
    if any(queue.queued_us > queue.computed_us > 0 for queue in report.machine.triton.values()):
        return "triton"
    if not report.stages:
        return "unknown"
    return max(report.stages, key=lambda name: report.stages[name].wait.p95)
