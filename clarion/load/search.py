"""Looks for the highest rate that holds, a step after the other."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from clarion.load import capacity
from clarion.load.arrivals import at_once, steady
from clarion.load.capacity import Limit, Step, judge, next_rate, studies_of, what_limits
from clarion.load.plan import Mix, orders
from clarion.load.report import Report
from clarion.load.session import Session


@dataclass(frozen=True)
class Found:
    """What the search came to."""

    limit_s: float
    steps: tuple[Step, ...]
    reports: tuple[Report, ...]
    interrupted: bool

    @property
    def per_h(self) -> float:
        """The highest rate that held; 0: none."""
        return capacity.best(self.steps)

    @property
    def faults(self) -> tuple[str, ...]:
        """What must not be at any rate."""
        return tuple(line for report in self.reports for line in report.verdict.faults)

    def limit(self) -> Limit | None:
        """What is in the way of more, from the lowest rate that did not hold."""
        failed = [index for index, step in enumerate(self.steps) if not step.held]
        if not failed:
            return None
        return what_limits(self.reports[min(failed, key=lambda index: self.steps[index].per_h)])

    def to_json(self) -> Mapping[str, Any]:
        limit = self.limit()
        return {
            "capacity_per_h": round(self.per_h, 1),
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
    while (rate := next_rate(steps, first, limit_s)) and not session.interrupts.count:
        count = studies_of(rate, step_s)
        due = orders(steady(rate / 3600), range(sent, sent + count), mix, chance)
        report = session.run(due, count, f"step {len(steps) + 1}: {rate:.0f} studies an hour")
        sent += count
        if not report.interrupted:
            reports.append(report)
            steps.append(judge(rate, step_s, report, limit_s))
        yield Found(limit_s, tuple(steps), tuple(reports), report.interrupted)
