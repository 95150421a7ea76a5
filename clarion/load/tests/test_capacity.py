"""The search closes in on the rate that holds, and says what is in the way of more."""

from dataclasses import replace

import pytest

from clarion.load.capacity import (
    MOST_STEPS,
    Step,
    best,
    judge,
    next_rate,
    studies_of,
    what_limits,
)
from clarion.load.figures import Spread, Stage
from clarion.load.judging import Lost, NotCompleted
from clarion.load.machine import TritonQueue
from clarion.load.report import Machine, Report, Sending, Verdict

QUICK, SLOW = Spread(9, 2, 3, 3, 3), Spread(9, 20, 40, 50, 50)
SENDING = Sending(9, 9, 90, 9.0, 100.0, Spread(9, 0, 0, 0, 0), QUICK, {"none": 9}, ())
MACHINE = Machine(50.0, {}, {})
HELD = Report(
    elapsed_s=40.0,
    interrupted=False,
    sending=SENDING,
    jobs={"completed": 9},
    waiting=0,
    waiting_most=3,
    finished_per_h=100.0,
    lanes={"routine": QUICK},
    stages={"reader": Stage(QUICK, QUICK, 0.2)},
    machine=MACHINE,
)


@pytest.mark.parametrize(("limit", "first"), [(700.0, 120.0), (45.0, 120.0), (130.0, 120.0)])
def test_the_search_ends_just_below_the_limit(limit: float, first: float) -> None:
    steps: list[Step] = []
    while rate := next_rate(steps, first, 100.0):
        steps.append(Step(rate, 9, 1.0, "" if rate <= limit else "too much"))
    assert limit / 1.15 <= best(steps) <= limit
    assert len(steps) <= MOST_STEPS


def test_it_does_not_slow_down_for_a_study_that_takes_too_long_alone() -> None:
    failed = [Step(120, 4, 90.0, "p95 is above 60 s")]
    assert next_rate(failed, 120, 60.0) == 60
    assert next_rate([*failed, replace(failed[0], per_h=60)], 120, 60.0) is None


def test_a_rate_above_one_that_failed_does_not_count() -> None:
    lucky = [Step(100, 9, 1.0, ""), Step(200, 9, 9.0, "too slow"), Step(400, 9, 1.0, "")]
    assert best(lucky) == 100
    assert best([Step(100, 9, 9.0, "too slow")]) == 0


def test_a_step_has_studies_enough_to_measure() -> None:
    assert (studies_of(60, 30), studies_of(3600, 30)) == (4, 30)


@pytest.mark.parametrize(
    ("report", "why_not"),
    [
        (HELD, ""),
        (replace(HELD, lanes={"stat": QUICK, "bulk": SLOW}), "p95 is above 30 s"),
        (replace(HELD, finished_per_h=60.0), "the queue grows: 60 an hour finish"),
        (replace(HELD, lanes={}), "nothing completed"),
        (
            replace(
                HELD, verdict=Verdict(not_completed=(NotCompleted("a", "failed", ("crash",)),))
            ),
            "1 jobs not completed: a failed (crash)",
        ),
        (replace(HELD, sending=replace(SENDING, not_stored=("full",))), "not stored: full"),
        (replace(HELD, verdict=Verdict((Lost("c", "s", "?"),))), "1 studies not finished"),
        (replace(HELD, sending=replace(SENDING, late=SLOW)), "the senders are late by 40.0 s"),
    ],
)
def test_a_step_holds_when_all_came_in_time(report: Report, why_not: str) -> None:
    step = judge(100.0, 40.0, report, 30.0)
    assert step.why_not.startswith(why_not)
    assert step.held is not bool(why_not)


@pytest.mark.parametrize(
    ("machine", "code"),
    [
        (replace(MACHINE, cpu_percent=97.0), "cpu"),
        (replace(MACHINE, triton={"lungs": TritonQueue(10, 900_000, 100_000)}), "triton"),
        (MACHINE, "lesions"),
    ],
)
def test_what_limits_is_read_from_the_figures(machine: Machine, code: str) -> None:
    stages = {"reader": Stage(QUICK, QUICK, 0.9), "lesions": Stage(QUICK, SLOW, 0.5)}
    limit = what_limits(replace(HELD, stages=stages, machine=machine))
    assert limit.code == code
    assert "longest queue: lesions, p95 40.0 s" in limit.evidence
    assert "most busy: reader, 0.90 s of work a second" in limit.evidence
