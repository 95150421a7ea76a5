"""One step of the search for the highest rate: what is tried, and whether it held. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from clarion.load.report import Report


@dataclass(frozen=True)
class Terms:
    """What is asked of a step."""

    fewest: int
    """Studies."""
    most: int
    """Steps of this kind."""
    growth: float
    """How many seconds longer end to end may be for each second; above it the queue grows."""
    late: float
    """Share of the step that the senders may be late."""


SHORT = Terms(fewest=4, most=10, growth=0.25, late=0.1)
CONFIRMING = Terms(fewest=9, most=5, growth=0.05, late=0.05)


class Cause(StrEnum):
    """Of which kind the reason is that a rate does not hold."""

    FAULT = "fault"
    SLOW = "slow"
    SENDERS = "senders"


@dataclass(frozen=True)
class Planned:
    """A rate to be tried."""

    per_h: float
    lasts_s: float
    confirms: bool = False
    """After the search: whether the rate that it found holds for long."""

    @property
    def terms(self) -> Terms:
        return CONFIRMING if self.confirms else SHORT

    @property
    def studies(self) -> int:
        return max(self.terms.fewest, round(self.per_h / 3600 * self.lasts_s))

    @property
    def takes_s(self) -> float:
        """Until the last study is sent."""
        return self.studies / self.per_h * 3600


@dataclass(frozen=True)
class Step:
    """One rate that was tried."""

    per_h: float
    studies: int
    p95_s: float | None
    why_not: str
    """Why the machine does not hold it; empty when it does."""
    cause: Cause | None = None
    confirms: bool = False
    lasted_s: float = 0.0
    """For how long studies were sent."""
    growth: float = 0.0
    """How many seconds longer end to end was for each second."""

    @property
    def held(self) -> bool:
        return not self.why_not


def judge(planned: Planned, report: Report, limit_s: float) -> Step:
    """Whether a step held its rate: all completed, in time, as fast as they came."""
    cause, why_not = next(_failings(planned, report, limit_s), (None, ""))
    return Step(
        per_h=planned.per_h,
        studies=report.sending.studies,
        p95_s=_p95(report),
        why_not=why_not,
        cause=cause,
        confirms=planned.confirms,
        lasted_s=planned.takes_s,
        growth=report.growth or 0.0,
    )


def _failings(planned: Planned, report: Report, limit_s: float) -> Iterator[tuple[Cause, str]]:
    """Why a rate does not hold, the gravest first."""
    verdict, late, p95 = report.verdict, report.sending.late, _p95(report)
    if report.sending.not_stored:
        yield Cause.FAULT, f"not stored: {report.sending.not_stored[0]}"
    if verdict.lost:
        yield Cause.FAULT, f"{len(verdict.lost)} studies not finished"
    if found := verdict.not_completed:
        yield Cause.FAULT, f"{len(found)} jobs not completed: {found[0]}"
    if p95 is None:
        yield Cause.FAULT, "nothing completed"
    elif p95 > limit_s:
        yield Cause.SLOW, f"p95 is above {limit_s:g} s"
    if late and late.p95 > planned.terms.late * planned.takes_s:
        told = f"the senders are late by {late.p95:.1f} s: more of them (--senders)?"
        yield Cause.SENDERS, told
    if report.growth is not None and report.growth > planned.terms.growth:
        told = f"the queue grows: end to end by {60 * report.growth:.0f} s a minute"
        yield Cause.SLOW, told


def _p95(report: Report) -> float | None:
    """Of the slowest lane."""
    return max((lane.p95 for lane in report.lanes.values()), default=None)
