"""What keeps a machine from a higher rate, read from a step that did not hold. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from clarion.load.figures import LOOK_S
from clarion.load.report import Report
from clarion.load.stages import Stage
from clarion.load.steps import Cause, Step

_FULL = 90.0
"""From this percentage of CPU on the machine itself is what limits."""


@dataclass(frozen=True)
class Limit:
    """What is in the way, and what shows it: a sentence each, the most telling first."""

    code: str
    evidence: tuple[str, ...]


def what_limits(step: Step, report: Report) -> Limit:
    """The reason why the step failed, where that tells it; else what its studies waited for."""
    evidence = tuple(_evidence(report))
    if step.cause is Cause.FAULT:
        return Limit(Cause.FAULT, (step.why_not, *evidence))
    if report.machine.cpu_percent >= _FULL:
        return Limit("cpu", evidence)
    if step.cause is Cause.SENDERS:
        return Limit(Cause.SENDERS, (step.why_not, *evidence))
    return Limit(_slowest(report), evidence)


def _slowest(report: Report) -> str:
    """The stage that jobs wait for longest; Triton, where that is what the stage does too."""
    waits = {
        name: stage.wait.p95 + _queued_s(stage, report) for name, stage in report.stages.items()
    }
    longest = max(waits, key=waits.__getitem__, default="unknown")
    shown = report.shown_after
    if shown and shown.p95 - LOOK_S > waits.get(longest, 0.0):
        return "results"
    stage = report.stages.get(longest)
    if stage and _queued_s(stage, report) > stage.took.p50 / 2:
        return "triton"
    return longest


def _queued_s(stage: Stage, report: Report) -> float:
    """How long a job's requests to the stage's model stood in Triton's queue, on average."""
    queue = report.machine.triton.get(stage.model or "")
    return queue.queued_us / 1e6 / stage.took.count if queue else 0.0


def _evidence(report: Report) -> Iterator[str]:
    machine, stages = report.machine, report.stages
    yield f"CPU of the machine: {machine.cpu_percent:.0f} % (every process on it counts)"
    if stages:
        queue = max(stages, key=lambda name: stages[name].wait.p95)
        busy = max(stages, key=lambda name: stages[name].busy)
        yield f"longest queue: {queue}, p95 {stages[queue].wait.p95:.1f} s"
        yield f"most busy: {busy}, {stages[busy].busy:.2f} s of work a second"
    if report.shown_after:
        yield f"results: jobs end p95 {report.shown_after.p95:.1f} s after their last stage"
    asked = {name: queue for name, queue in machine.triton.items() if queue.requests}
    if asked:
        model = max(asked, key=lambda name: asked[name].queued_us / asked[name].requests)
        waited, computed = asked[model].queued_us, asked[model].computed_us
        requests = asked[model].requests
        yield (
            f"Triton: {model} queues {waited / requests / 1000:.0f} ms a request, "
            f"computes {computed / requests / 1000:.0f} ms"
        )
    if behind := machine.backlog_most:
        service = max(behind, key=lambda name: behind[name])
        yield f"Kafka: {service} was {behind[service]} events behind at most"
