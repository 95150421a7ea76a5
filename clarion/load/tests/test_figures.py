"""Figures come from the jobs themselves."""

import pytest

from clarion.load import figures
from clarion.load.figures import Done
from clarion.load.tests.studies import job, moment, sent

SOURCES = {
    "reader": frozenset({"ingest"}),
    "lungs": frozenset({"reader"}),
    "lesions": frozenset({"reader"}),
    "ratio": frozenset({"lungs", "lesions"}),
}


def test_percentiles_are_values_that_were_measured() -> None:
    found = figures.spread([float(n) for n in range(100, 0, -1)])
    assert (found.count, found.p50, found.p95, found.p99, found.longest) == (100, 50, 95, 99, 100)
    assert figures.spread([7.0]).p50 == figures.spread([7.0]).p99 == 7


def test_nothing_measured_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="nothing"):
        figures.spread([])


def test_end_to_end_is_from_the_first_image_to_the_end_by_lane() -> None:
    done = [
        Done(sent("a"), job("a", lane="stat", finished_at=moment(100))),
        Done(sent("b"), job("b")),
        Done(sent("c"), job("c", finished_at=None)),
        Done(sent("d"), job("d", status="failed", finished_at=moment(91))),
    ]
    found = figures.by_lane(done)
    assert {lane: (s.count, s.p50) for lane, s in found.items()} == {
        "stat": (1, 10),
        "routine": (1, 60),
    }


def test_jobs_that_did_not_complete_are_counted_by_status_and_codes() -> None:
    reasons = [{"code": "dependency-failed"}]
    done = [
        Done(sent("a"), job("a")),
        Done(sent("b"), job("b", status="failed", reasons=reasons)),
        Done(sent("c"), job("c", status="failed", reasons=reasons)),
        Done(sent("d"), job("d", status="superseded")),
    ]
    assert figures.left_out(done) == {"failed (dependency-failed)": 2, "superseded": 1}


def test_a_join_waits_from_its_last_input_on() -> None:
    stages = {"reader": (102, 104), "lungs": (105, 110), "lesions": (104, 120), "ratio": (123, 124)}
    found = figures.by_stage([Done(sent(), job(stages=stages))], SOURCES)
    assert list(found) == list(SOURCES)
    assert {name: stage.wait.p50 for name, stage in found.items()} == {
        "reader": 0,
        "lungs": 1,
        "lesions": 0,
        "ratio": 3,
    }
    assert found["lesions"].took.p50 == 16
    assert found["lesions"].busy == pytest.approx(16 / 22, abs=0.001)


def test_behind_ingest_the_quiet_time_is_no_wait() -> None:
    quick = Done(sent("a", ended=100), job("a", {"reader": (102, 103)}))
    queued = Done(sent("b", ended=100), job("b", {"reader": (109, 110)}))
    found = figures.by_stage([quick, queued], SOURCES)
    assert (found["reader"].wait.p50, found["reader"].wait.longest) == (0, 7)


def test_a_version_that_began_before_its_sender_ended_makes_no_other_wait() -> None:
    early = Done(sent("a", ended=160), job("a", {"reader": (103, 104)}))
    quick = Done(sent("b", ended=100), job("b", {"reader": (102, 103)}))
    found = figures.by_stage([early, quick], SOURCES)
    assert (found["reader"].wait.count, found["reader"].wait.longest) == (2, 0)


def test_the_rate_of_ends_needs_two() -> None:
    ends = [Done(sent(c), job(c, finished_at=moment(t))) for c, t in [("a", 0), ("b", 36)]]
    assert figures.finished_per_h(ends) == 100
    assert figures.finished_per_h(ends[:1]) is None
