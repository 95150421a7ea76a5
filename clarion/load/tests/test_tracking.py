"""Studies are followed through the jobs API until nothing is due any more."""

from dataclasses import dataclass, field
from typing import Any

from clarion.load.tests.studies import job, sent
from clarion.load.tracking import Tracker


@dataclass
class Jobs:
    """A jobs API with these jobs."""

    jobs: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def get(self, path: str, **parameters: Any) -> Any:
        self.asked.append(path)
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


def test_after_the_last_image_a_later_version_is_waited_for() -> None:
    waits = []
    for now in (101.0, 120.0):
        tracker = Tracker(Jobs([job()]), now=lambda at=now: at)  # type: ignore[misc]
        tracker.expect(sent(ended=100.0))
        tracker.look()
        waits.append(bool(tracker.waiting()))
    assert waits == [True, False]
