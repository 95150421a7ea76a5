"""Studies are followed through the jobs API until nothing is due any more."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from clarion.load.tests.studies import job, moment, sent
from clarion.load.tracking import Tracker


@dataclass
class Jobs:
    """A jobs API with these jobs."""

    jobs: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def get(self, path: str, **parameters: Any) -> Any:
        self.asked.append(path)
        if path in self.refused:
            raise ConnectionError(path)
        if path == "/jobs":
            return self.jobs[: parameters["limit"]]
        return next(each for each in self.jobs if path == f"/jobs/{each['job_id']}")


def test_a_study_waits_until_its_job_and_its_deliveries_are_done() -> None:
    tracker = Tracker(Jobs())
    tracker.expect(sent())
    waits = []
    for state in ({"status": "running"}, {"deliveries": {"waiting": 2}}, {}):
        tracker.results = Jobs([job(**state)])
        tracker.look()
        waits.append(bool(tracker.waiting()))
    assert waits == [True, True, False]
    assert [each.job["job_id"] for each in tracker.done()] == ["job-of-case"]


def test_the_newest_version_counts_and_every_one_is_kept() -> None:
    newer = job(job_id="second", version=2, status="running")
    tracker = Tracker(Jobs([newer, job()]))
    tracker.expect(sent())
    tracker.look()
    assert [each.case_id for each in tracker.waiting()] == ["case"]
    assert tracker.newest["case"]["job_id"] == "second"
    assert list(tracker.jobs) == ["job-of-case"]


def test_a_job_is_asked_for_in_full_once_and_others_never() -> None:
    results = Jobs([job(), job("somebody else's")])
    tracker = Tracker(results)
    tracker.expect(sent())
    for _ in range(3):
        tracker.look()
    assert results.asked == ["/jobs", "/jobs/job-of-case", "/jobs", "/jobs"]


def test_a_job_has_ended_when_it_is_first_listed_so() -> None:
    clock = iter([100.0, 101.0, 109.0, 200.0])
    tracker = Tracker(Jobs(), now=lambda: next(clock))
    tracker.expect(sent())
    for state in ({"status": "running"}, {"deliveries": {"waiting": 2}}, {}):
        tracker.results = Jobs([job(**state)])
        tracker.look(most=100)
    assert [each.shown_at for each in tracker.done()] == [101.0]


def test_the_end_of_a_job_is_known_although_another_is_not_answered() -> None:
    results = Jobs([job("a", job_id="busy"), job("b")])
    results.refused = {"/jobs/busy"}
    tracker = Tracker(results, now=lambda: 160.0)
    for case in ("a", "b"):
        tracker.expect(sent(case))
    with pytest.raises(ConnectionError):
        tracker.look()
    assert tracker.shown == {"busy": 160.0, "job-of-b": 160.0}


def test_a_case_is_settled_when_none_of_its_jobs_is_open() -> None:
    newer = job(job_id="second", version=2)
    tracker = Tracker(Jobs([newer, job(deliveries={"waiting": 1})]))
    for case in ("case", "none"):
        tracker.expect(sent(case))
    tracker.look()
    before = tracker.settled_cases()
    tracker.results = Jobs([newer, job()])
    tracker.look()
    assert (before, tracker.settled_cases()) == (set(), {"case"})


def test_a_study_that_others_overtook_is_still_asked_for() -> None:
    """A job of the lane bulk, that ends when hundreds that came later have ended."""
    later = [sent(str(number), ended=110.0 + number) for number in range(300)]
    jobs = [job(each.case_id, received_at=moment(each.began)) for each in reversed(later)]
    tracker = Tracker(Jobs([*jobs, job(status="running")]), now=lambda: 1000.0)
    for each in (sent(), *later):
        tracker.expect(each)
    tracker.look()
    tracker.results = Jobs([*jobs, job()])
    tracker.look()
    assert "job-of-case" in tracker.shown


def test_a_study_that_may_become_another_version_waits_and_is_finished() -> None:
    tracker = Tracker(Jobs([job("a"), job("b", status="running")]), now=lambda: 101.0)
    for case in ("a", "b"):
        tracker.expect(sent(case, ended=100.0))
    tracker.look()
    assert [each.case_id for each in tracker.waiting()] == ["a", "b"]
    assert [each.case_id for each in tracker.unfinished()] == ["b"]


def test_after_the_last_image_a_later_version_is_waited_for() -> None:
    waits = []
    for now in (101.0, 120.0):
        tracker = Tracker(Jobs([job()]), now=lambda at=now: at)  # type: ignore[misc]
        tracker.expect(sent(ended=100.0))
        tracker.look()
        waits.append(bool(tracker.waiting()))
    assert waits == [True, False]
