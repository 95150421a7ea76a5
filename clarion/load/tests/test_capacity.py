"""The search closes in on a rate, and goes down from it until one holds for long."""

from itertools import islice

import pytest

from clarion.load.arrivals import steady
from clarion.load.capacity import best, next_planned, next_rate
from clarion.load.steps import Cause, Planned, Step, judge
from clarion.load.tests.reports import served

P95_S, STEP_S = 60.0, 40.0


@pytest.mark.parametrize("limit", [700.0, 45.0, 130.0])
def test_the_search_ends_just_below_the_limit(limit: float) -> None:
    steps: list[Step] = []
    while rate := next_rate(steps, 120.0, 100.0):
        steps.append(_tried(rate, "" if rate <= limit else "too much"))
    held = best(steps)
    assert held
    assert limit / 1.15 <= held.per_h <= limit
    assert len(steps) <= 10


def test_it_does_not_slow_down_for_a_study_that_takes_too_long_alone() -> None:
    failed = [_tried(120, "p95 is above 60 s")]
    assert next_rate(failed, 120, 60.0) == 60
    failed.append(_tried(60, "p95 is above 60 s"))
    assert next_planned(failed, 120, STEP_S, 60.0) is None
    assert best(failed) is None


def test_a_rate_above_one_that_failed_does_not_count() -> None:
    lucky = [_tried(100), _tried(200, "too slow"), _tried(400)]
    held = best(lucky)
    assert held
    assert held.per_h == 100
    assert best([_tried(100, "too slow")]) is None


@pytest.mark.parametrize("server_per_h", [80.0, 200.0, 300.0, 500.0, 1000.0, 4000.0])
def test_what_is_found_holds_for_an_hour(server_per_h: float) -> None:
    """One server holds its own rate, and no more."""
    steps = _searched(server_per_h)
    held = best(steps)
    assert held
    assert held.confirms
    assert 0.85 * server_per_h <= held.per_h <= 1.03 * server_per_h
    assert sum(step.confirms for step in steps) <= 3


def test_a_rate_that_is_not_confirmed_counts_no_more_than_one_that_fails() -> None:
    steps = _searched(300.0)
    found = next(number for number, step in enumerate(steps) if step.confirms)
    short, failed = best(steps[:found]), best(steps[: found + 1])
    assert short
    assert (short.per_h > 300, short.confirms, failed) == (True, False, None)


def test_a_rate_is_lowered_a_few_times_only() -> None:
    steps = [_tried(1000), _tried(1100, "too slow")]
    while planned := next_planned(steps, 120, STEP_S, P95_S):
        assert planned.confirms
        steps.append(_tried(planned.per_h, "crash", confirms=True))
    rates = [round(step.per_h) for step in steps[2:]]
    assert rates == [1000, 909, 826, 751, 683]


def test_a_rate_is_confirmed_for_several_times_the_limit_or_a_step() -> None:
    found = [_tried(1000), _tried(1100, "too slow")]
    for limit_s, takes_s in ((60.0, 300.0), (600.0, 3000.0), (5.0, 200.0)):
        planned = next_planned(found, 120, STEP_S, limit_s)
        assert planned
        assert planned.takes_s == pytest.approx(takes_s, rel=0.01)


def test_a_step_has_studies_enough_to_measure() -> None:
    assert (Planned(60, 30).studies, Planned(3600, 30).studies) == (4, 30)
    assert Planned(60, 300, confirms=True).studies == 9


def _tried(per_h: float, why_not: str = "", *, confirms: bool = False) -> Step:
    return Step(per_h, 9, 1.0, why_not, Cause.SLOW if why_not else None, confirms)


def _searched(server_per_h: float) -> list[Step]:
    """The whole search on one server."""
    steps: list[Step] = []
    while planned := next_planned(steps, 120.0, STEP_S, P95_S):
        arrivals = islice(steady(planned.per_h / 3600), planned.studies)
        steps.append(judge(planned, served(arrivals, server_per_h), P95_S))
    return steps
