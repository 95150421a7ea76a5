"""A step holds its rate when all came, in time, as fast as it was sent."""

from dataclasses import replace

import pytest

from clarion.load.judging import Lost, NotCompleted
from clarion.load.report import Report, Verdict
from clarion.load.steps import Cause, Planned, judge
from clarion.load.tests.reports import HELD, QUICK, SLOW, reported
from clarion.load.tests.studies import done

SHORT, LONG = Planned(100.0, 40.0), Planned(100.0, 400.0, confirms=True)
SENDING = HELD.sending


@pytest.mark.parametrize(
    ("report", "cause", "why_not"),
    [
        (HELD, None, ""),
        (replace(HELD, lanes={"stat": QUICK, "bulk": SLOW}), Cause.SLOW, "p95 is above 30 s"),
        (
            replace(HELD, growth=0.3),
            Cause.SLOW,
            "the queue grows: end to end by 18 s a minute",
        ),
        (replace(HELD, lanes={}), Cause.FAULT, "nothing completed"),
        (
            replace(
                HELD, verdict=Verdict(not_completed=(NotCompleted("a", "failed", ("crash",)),))
            ),
            Cause.FAULT,
            "1 jobs not completed: a failed (crash)",
        ),
        (
            replace(HELD, sending=replace(SENDING, not_stored=("full",))),
            Cause.FAULT,
            "not stored: full",
        ),
        (
            replace(HELD, verdict=Verdict((Lost("c", "s", "?"),))),
            Cause.FAULT,
            "1 studies not finished",
        ),
        (
            replace(HELD, sending=replace(SENDING, late=SLOW)),
            Cause.SENDERS,
            "the senders are late by 40.0 s: more of them (--senders)?",
        ),
    ],
)
def test_a_step_holds_when_all_came_in_time(
    report: Report, cause: Cause | None, why_not: str
) -> None:
    step = judge(SHORT, report, 30.0)
    assert (step.cause, step.why_not) == (cause, why_not)
    assert step.held is not bool(why_not)


def test_what_confirms_may_not_grow_as_a_short_step_may() -> None:
    grows = replace(HELD, growth=0.1)
    assert judge(SHORT, grows, 30.0).held
    assert not judge(LONG, grows, 30.0).held
    assert judge(LONG, replace(HELD, growth=0.04), 30.0).held


def test_a_rate_at_which_only_results_falls_behind_does_not_hold() -> None:
    """The stages of each job have ended in time, whenever results reads of it."""
    jobs = [done(str(n), came=36 * n, shown_at=36 * n + 10 + 4 * n) for n in range(12)]
    step = judge(LONG, reported(jobs), 60.0)
    assert step.why_not == "the queue grows: end to end by 7 s a minute"
