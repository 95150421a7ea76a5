"""Looks for the highest rate that holds, a step after the other."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from clarion.load.arrivals import at_once, steady
from clarion.load.capacity import best, next_planned
from clarion.load.limits import Limit, what_limits
from clarion.load.plan import Mix, orders
from clarion.load.report import Report
from clarion.load.session import Session
from clarion.load.steps import Planned, Step, judge


@dataclass(frozen=True)
class Found:
    """What the search came to."""

    limit_s: float
    steps: tuple[Step, ...]
    reports: tuple[Report, ...]
    interrupted: bool

    @property
    def best(self) -> Step | None:
        """The highest rate that held; None: none."""
        return best(self.steps)

    @property
    def lowest_failed(self) -> Step | None:
        """The lowest rate that did not hold."""
        failed = (step for step in self.steps if not step.held)
        return min(failed, key=lambda step: step.per_h, default=None)

    @property
    def faults(self) -> tuple[str, ...]:
        """What must not be at any rate."""
        return tuple(line for report in self.reports for line in report.verdict.faults)

    def limit(self) -> Limit | None:
        """What is in the way of more."""
        failed = self.lowest_failed
        return what_limits(failed, self.reports[self.steps.index(failed)]) if failed else None

    def to_json(self) -> Mapping[str, Any]:
        limit, held = self.limit(), self.best
        return {
            "capacity_per_h": round(held.per_h, 1) if held else 0.0,
            "confirmed": bool(held and held.confirms),
            "p95_limit_s": self.limit_s,
            "interrupted": self.interrupted,
            "limited_by": asdict(limit) if limit else None,
            "faults": list(self.faults),
            "steps": [
                {**asdict(step), "held": step.held, "report": report.to_json()}
                for step, report in zip(self.steps, self.reports, strict=True)
            ],
        }


def search(
    session: Session, mix: Mix, first: float, step_s: float, limit_s: float, chance: Random
) -> Iterator[Found]:
    """What is found so far, after each step; a first study, not counted, warms the system.

    Each step sends at equal gaps, so that luck makes no difference, and ends with a drain.
    """
    warm = orders(at_once(), range(1), mix, chance)
    session.run(warm, 1, "one study first, so that the models are warm")
    sent = 1
    steps: list[Step] = []
    reports: list[Report] = []
    while not session.interrupts.count:
        planned = next_planned(steps, first, step_s, limit_s)
        if planned is None:
            return
        numbers = range(sent, sent + planned.studies)
        due = orders(steady(planned.per_h / 3600), numbers, mix, chance)
        report = session.run(due, len(numbers), _title(planned, len(steps) + 1))
        sent += len(numbers)
        if not report.interrupted:
            reports.append(report)
            steps.append(judge(planned, report, limit_s))
        yield Found(limit_s, tuple(steps), tuple(reports), report.interrupted)


def _title(planned: Planned, number: int) -> str:
    rate = f"{planned.per_h:.0f} studies an hour"
    if not planned.confirms:
        return f"step {number}: {rate}"
    return f"step {number}: does the machine hold {rate} for {planned.takes_s / 60:.1f} min?"
