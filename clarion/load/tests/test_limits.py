"""What is in the way is read from why a step failed, and from what its jobs waited for."""

from dataclasses import replace

import pytest

from clarion.load.figures import Spread
from clarion.load.limits import what_limits
from clarion.load.machine import TritonQueue
from clarion.load.report import Report
from clarion.load.stages import Stage
from clarion.load.steps import Cause, Step
from clarion.load.tests.reports import HELD, MACHINE, QUICK, SLOW

GROWS = Step(100.0, 9, 40.0, "the queue grows", Cause.SLOW)
LATE = Step(100.0, 9, 3.0, "the senders are late by 9.0 s", Cause.SENDERS)
LOST = Step(100.0, 9, 3.0, "2 studies not finished", Cause.FAULT)
REPORT = replace(
    HELD,
    stages={
        "reader": Stage(QUICK, QUICK, 0.9),
        "lesions": Stage(QUICK, SLOW, 0.5, "lesion_seg"),
        "classifier": Stage(QUICK, QUICK, 0.1, "covid_classifier"),
    },
)


@pytest.mark.parametrize(
    ("step", "cpu_percent", "code"),
    [
        (GROWS, 50.0, "lesions"),
        (GROWS, 97.0, "cpu"),
        (LATE, 35.0, "senders"),
        (LATE, 97.0, "cpu"),
        (LOST, 97.0, "fault"),
    ],
)
def test_why_a_step_failed_tells_what_limits(step: Step, cpu_percent: float, code: str) -> None:
    limit = what_limits(step, replace(REPORT, machine=replace(MACHINE, cpu_percent=cpu_percent)))
    assert limit.code == code
    assert (step.why_not in limit.evidence) is (code in ("senders", "fault"))
    assert "longest queue: lesions, p95 40.0 s" in limit.evidence
    assert "most busy: reader, 0.90 s of work a second" in limit.evidence


@pytest.mark.parametrize(
    ("model", "queued_s", "code"),
    [
        ("lesion_seg", 12.0, "triton"),  # of 2 s that the stage takes in each of 9 jobs
        ("lesion_seg", 5.0, "lesions"),
        ("covid_classifier", 12.0, "lesions"),
        ("covid_classifier", 999.0, "triton"),
    ],
)
def test_triton_limits_where_the_longest_wait_is_for_its_queue(
    model: str, queued_s: float, code: str
) -> None:
    queue = TritonQueue(9, int(queued_s * 1e6), 1_000)
    found = what_limits(GROWS, replace(REPORT, machine=replace(MACHINE, triton={model: queue})))
    assert found.code == code


def test_results_limit_where_an_end_is_told_later_than_any_stage_waited() -> None:
    assert what_limits(GROWS, _told_after(40.5)).code == "lesions"  # asked each second only
    found = what_limits(GROWS, _told_after(60.0))
    assert found.code == "results"
    assert "results: jobs end p95 60.0 s after their last stage" in found.evidence


def test_what_limits_is_unknown_where_no_stage_ran() -> None:
    assert what_limits(GROWS, replace(REPORT, stages={})).code == "unknown"


def _told_after(p95_s: float) -> Report:
    return replace(REPORT, shown_after=Spread(9, 1.0, p95_s, p95_s, p95_s))
