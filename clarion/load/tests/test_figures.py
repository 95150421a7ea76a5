"""Figures come from the jobs themselves, and from when they were seen to have ended."""

from collections.abc import Mapping

import pytest

from clarion.load import figures
from clarion.load.figures import Done
from clarion.load.stages import by_stage
from clarion.load.tests.studies import done, job, sent

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
    found = figures.by_lane(
        [
            done("a", lane="stat", shown_at=100),
            done("b"),
            done("c", status="failed", shown_at=91),
        ]
    )
    assert {lane: (s.count, s.p50) for lane, s in found.items()} == {
        "stat": (1, 10),
        "routine": (1, 60),
    }


def test_what_results_takes_to_tell_of_an_end_is_in_every_figure() -> None:
    quick, slow = done("a", shown_at=151), done("b", shown_at=1050)
    assert quick.job["finished_at"] == slow.job["finished_at"]
    assert figures.by_lane([quick, slow])["routine"].longest == 960
    told = figures.shown_after([quick, slow])
    assert told is not None
    assert (told.p50, told.longest) == (1, 900)
    assert figures.finished_per_h([quick, slow]) == pytest.approx(3600 / 899, abs=0.1)


def test_nobody_tells_how_long_results_takes_where_nothing_completed() -> None:
    assert figures.shown_after([done(status="failed")]) is None


def test_a_queue_grows_by_what_the_last_third_took_longer() -> None:
    growing = [done(str(n), came=10 * n, shown_at=10 * n + 5 + 2 * n) for n in range(9)]
    steady = [done(str(n), came=10 * n, shown_at=10 * n + 5 + n % 3) for n in range(9)]
    failing = [done(str(n), came=10 * n, shown_at=10 * n + 99, status="failed") for n in (9, 10)]
    assert figures.growth(growing) == pytest.approx(0.2)
    assert figures.growth([*steady, *failing]) == 0
    assert figures.growth(growing[:2]) is None


def test_jobs_that_did_not_complete_are_counted_by_status_and_codes() -> None:
    reasons = [{"code": "dependency-failed"}]
    ended = [
        done("a"),
        done("b", status="failed", reasons=reasons),
        done("c", status="failed", reasons=reasons),
        done("d", status="superseded"),
    ]
    assert figures.left_out(ended) == {"failed (dependency-failed)": 2, "superseded": 1}


def test_a_join_waits_from_its_last_input_on() -> None:
    stages = {"reader": (102, 104), "lungs": (105, 110), "lesions": (104, 120), "ratio": (123, 124)}
    found = by_stage([_ran("a", 100, stages)], SOURCES)
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
    quick = _ran("a", 100, {"reader": (102, 103)})
    queued = _ran("b", 100, {"reader": (109, 110)})
    found = by_stage([quick, queued], SOURCES)
    assert (found["reader"].wait.p50, found["reader"].wait.longest) == (0, 7)


def test_a_version_that_began_before_its_sender_ended_makes_no_other_wait() -> None:
    early = _ran("a", 160, {"reader": (103, 104)})
    quick = _ran("b", 100, {"reader": (102, 103)})
    found = by_stage([early, quick], SOURCES)
    assert (found["reader"].wait.count, found["reader"].wait.longest) == (2, 0)


def test_a_stage_tells_which_model_it_asked() -> None:
    ran = _ran("a", 100, {"reader": (102, 103), "lungs": (104, 105)})
    ran.job["stages"][1]["model"] = {"name": "lung_seg", "version": "1", "sha256": "0"}
    found = by_stage([ran], SOURCES)
    assert {name: stage.model for name, stage in found.items()} == {
        "reader": None,
        "lungs": "lung_seg",
    }


def test_the_rate_of_ends_needs_two() -> None:
    ends = [done("a", shown_at=0), done("b", shown_at=36)]
    assert figures.finished_per_h(ends) == 100
    assert figures.finished_per_h(ends[:1]) is None


def _ran(case: str, sent_until: float, stages: Mapping[str, tuple[float, float]]) -> Done:
    return Done(sent(case, ended=sent_until), job(case, stages), 200.0)
