"""Failures over HTTP: chosen by job, code, service and stage; tried again, or left at that."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from services.results.deadlines import sweep
from services.results.ledger import deliveries
from services.results.tests.facts import PIPELINE, RECEIVED, Story, job
from services.results.tests.test_api import System
from shared.events.models import InputReady, JobControl, Lane, StageFailed
from shared.identity import case_id, trace_id


@pytest.fixture
def system(tmp_path: Path) -> System:
    found = System(tmp_path)
    story = Story(found.store)
    found.intake.take([story.input_ready(), story.failed("reader", "out-of-memory")])
    return found


def test_a_failure_says_when_why_and_where_to_look(system: System) -> None:
    (failure,) = system.get("/failures")
    assert failure["reasons"][0]["text"].startswith("A service needed more memory")
    assert failure["trace_id"] == f"{trace_id(job(), 1):032x}"
    assert failure["cause"] == {"id": "1", "type": "clarion.volume-ready.v1", "topic": "t"}


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ("code=out-of-memory", 1),
        ("code=defect", 0),
        ("service=reader", 1),
        ("service=ratio", 0),
        ("stage=reader&code=out-of-memory", 1),
        ("stage=ratio", 0),
        (f"job={job()[:8]}", 1),
    ],
)
def test_failures_are_chosen(system: System, asked: str, count: int) -> None:
    assert len(system.get(f"/failures?{asked}")) == count


def test_what_the_service_said_is_read_where_no_file_is_shared(tmp_path: Path) -> None:
    system = System(tmp_path)
    story, said = Story(system.store), system.store.put(b"ValueError: 7\xff", "text/plain")
    gave_up = story.failed("reader")
    data = cast("StageFailed", gave_up.event.data).model_copy(update={"details": said})
    gave_up = replace(gave_up, event=replace(gave_up.event, data=data))
    system.intake.take([story.input_ready(), gave_up, story.failed("ratio")])
    answer = system.http.get(f"/failures/{job()[:8]}/reader/details")
    assert (answer.status_code, answer.text) == (200, "ValueError: 7\ufffd")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    for stage in ("ratio", "lung-seg", "no-stage"):
        none = system.http.get(f"/failures/{job()}/{stage}/details")
        assert (none.status_code, none.json()["code"]) == (404, "no-details")
    system.store.path(said).unlink()
    gone = system.http.get(f"/failures/{job()}/reader/details")
    assert gone.json()["code"] == "no-details"


@pytest.mark.parametrize(("how", "fresh"), [("", False), ("&fresh=true", True)])
def test_a_replay_by_code_says_what_was_done_of_each_job(
    system: System, how: str, fresh: bool
) -> None:
    answer = system.http.post(f"/failures/replay?code=out-of-memory{how}")
    (done,) = answer.json()["jobs"]
    assert (answer.status_code, done["done"], done["run"]) == (202, True, 2)
    (asked,) = system.published("input-ready")
    assert isinstance(asked, InputReady)
    assert (asked.run, asked.fresh) == (2, fresh)
    assert system.get("/failures") == []


def test_a_job_without_failures_is_not_replayed(system: System) -> None:
    system.http.post(f"/failures/discard?job={job()}")
    answer = system.http.post(f"/failures/replay?job={job()}")
    assert (answer.status_code, answer.json()["code"]) == (409, "no-failures")
    assert "clarion jobs rerun" in answer.json()["detail"]


def test_a_failure_of_a_job_that_still_runs_is_named_and_left(system: System) -> None:
    story = Story(system.store, version=2)
    system.intake.take([story.input_ready(), story.made("reader"), story.failed("lesion-seg")])
    (done,) = system.http.post("/failures/replay?stage=lesion-seg").json()["jobs"]
    assert (done["job_id"], done["done"], done["code"]) == (job(2), False, "job-running")


def test_nothing_is_done_to_all_unless_that_is_said(system: System) -> None:
    answer = system.http.post("/failures/discard")
    assert (answer.status_code, answer.json()["code"]) == (422, "nothing-chosen")
    assert system.http.post("/failures/discard?all=true").json()["jobs"][0]["done"] is True


def test_many_jobs_are_replayed_in_portions_and_each_once(tmp_path: Path) -> None:
    system = System(tmp_path)
    cases = [case_id("covid19-ct", f"study {number}", "study") for number in range(101)]
    for story in [Story(system.store, case=case) for case in cases]:
        system.intake.take([story.input_ready(), story.failed("reader")])
    others = system.http.post("/failures/replay?code=deadline").json()
    assert others == {"jobs": [], "next": sorted(job(case=case) for case in cases)[99]}
    first = system.http.post("/failures/replay?all=true").json()
    again = {each["job_id"] for each in first["jobs"]}
    for case in cases:
        if job(case=case) in again:
            system.intake.take([Story(system.store, run=2, case=case).failed("reader")])
    rest = system.http.post(f"/failures/replay?all=true&after={first['next']}").json()
    assert (len(first["jobs"]), len(rest["jobs"]), rest["next"]) == (100, 1, None)
    done = [each["job_id"] for each in first["jobs"] + rest["jobs"] if each["done"]]
    assert set(done) == {job(case=case) for case in cases}


def test_failures_of_every_kind_are_listed_newest_first(tmp_path: Path) -> None:
    system = System(tmp_path)
    early, late, last = (
        Story(system.store, case=case, began=RECEIVED + timedelta(hours=hours))
        for case, hours in (("early", 0), ("late", 1), ("last", 9))
    )
    system.intake.take([early.input_ready(), early.failed("reader"), late.input_ready()])
    system.clock.advance(timedelta(hours=8).total_seconds())
    sweep(system.intake.ledger, system.intake.concluder, RECEIVED)
    system.intake.take([last.input_ready(), last.failed("reader")])
    ids = [failure["job_id"] for failure in system.get("/failures")]
    assert ids == [last.job_id, late.job_id, early.job_id]
    assert [failure["job_id"] for failure in system.get("/failures?limit=2")] == ids[:2]


@pytest.mark.parametrize("late", [False, True])
def test_a_failure_that_a_newer_version_replaced_waits_for_nobody(
    tmp_path: Path, late: bool
) -> None:
    system = System(tmp_path)
    old = Story(system.store)
    system.intake.take([old.input_ready(), *([] if late else [old.failed("reader")])])
    system.clock.advance(21 * PIPELINE.deadline)
    sweep(system.intake.ledger, system.intake.concluder, RECEIVED)
    assert [failure["stage"] for failure in system.get("/failures")] == ["reader"]
    system.intake.take(Story(system.store, version=2).whole())
    assert system.get("/failures") == []
    for asked in ("replay?all=true", "discard?stage=reader"):
        assert system.http.post(f"/failures/{asked}").json() == {"jobs": [], "next": None}
    assert [failure["stage"] for failure in system.get(f"/failures?job={job()}")] == ["reader"]
    refused = system.http.post(f"/failures/replay?job={job()}")
    assert refused.json()["code"] == "job-superseded"


def test_what_a_deadline_ended_is_a_failure_of_the_stage_that_held_it(tmp_path: Path) -> None:
    system = System(tmp_path)
    story = Story(system.store)
    system.intake.take([story.input_ready(), story.made("reader"), story.made("lesion-seg")])
    system.clock.advance(21 * PIPELINE.deadline)
    sweep(system.intake.ledger, system.intake.concluder, RECEIVED)
    found = {failure["stage"]: failure for failure in system.get("/failures?code=deadline")}
    assert set(found) == {"lung-seg", "lesion-dicom-seg"}
    assert found["lung-seg"]["service"] == "lung_seg"


def test_a_replay_by_service_leaves_what_a_deadline_ended_in_another(system: System) -> None:
    late = Story(system.store, case="late")
    system.intake.take([late.input_ready(), late.made("reader"), late.made("lesion-seg")])
    system.clock.advance(21 * PIPELINE.deadline)
    sweep(system.intake.ledger, system.intake.concluder, RECEIVED)
    done = system.http.post("/failures/replay?service=reader").json()["jobs"]
    assert [each["job_id"] for each in done] == [job()]
    assert {each["job_id"] for each in system.get("/failures")} == {late.job_id}
    (held,) = system.http.post("/failures/replay?service=lung_seg").json()["jobs"]
    assert held["job_id"] == late.job_id


def test_a_change_of_lane_reaches_queued_work_deliveries_and_later_runs(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.intake.take([*Story(system.store).whole(), Story(system.store, 3).input_ready()])
    assert system.http.post(f"/jobs/{job()}/lane?lane=stat").json()["lane"] == "stat"
    assert system.published("job-control") == [JobControl(job_id=job(), lane=Lane.STAT)]
    system.intake.take([Story(system.store).input_ready()])
    assert system.get(f"/jobs/{job()}")["lane"] == "stat"
    with system.intake.ledger.reading() as connection:
        assert deliveries.due(connection, RECEIVED)[0].job_id == job()
    system.http.post(f"/jobs/{job()}/rerun")
    (asked,) = system.published("input-ready")
    assert asked.lane is Lane.STAT


def test_a_control_says_all_that_holds_and_going_back_is_said_too(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.intake.take([Story(system.store).input_ready()])
    for lane in ("stat", "bulk", "stat", "stat"):
        system.http.post(f"/jobs/{job()}/lane?lane={lane}")
    system.http.post(f"/jobs/{job()}/cancel")
    said = system.published("job-control")
    assert [control.lane for control in said] == ["stat", "bulk", "stat", "stat"]
    assert said[-1] == JobControl(job_id=job(), cancelled_to_run=1, lane=Lane.STAT)


def test_a_job_whose_definition_is_gone_is_listed_and_can_be_left_or_tried_again(
    tmp_path: Path,
) -> None:
    system = System(tmp_path)
    story = Story(system.store)
    asked = story.input_ready()
    request = cast("InputReady", asked.event.data)
    where = system.store.path(request.payloads["pipeline.definition"])
    definition = where.read_bytes()
    where.unlink()
    system.intake.take([asked])
    (listed,) = system.get("/failures")
    assert (listed["stage"], listed["service"], listed["attempts"]) == ("results", "results", 0)
    assert [reason["code"] for reason in listed["reasons"]] == ["definition-missing"]
    assert system.http.post(f"/failures/discard?job={job()}").json()["jobs"][0]["done"] is True
    assert system.get("/failures") == []
    where.write_bytes(definition)
    assert system.http.post(f"/jobs/{job()}/rerun").json()["run"] == 2
    assert system.get("/failures?code=definition-missing") == []
