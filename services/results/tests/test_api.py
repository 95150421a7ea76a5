"""The jobs API, over HTTP."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from services.results.api import create_app
from services.results.archive import Archive
from services.results.deadlines import sweep
from services.results.definitions import Definitions
from services.results.intake import Intake
from services.results.ledger import outbox
from services.results.ledger.tables import deliveries
from services.results.pruning import Pruner
from services.results.requests import Desk
from services.results.tests.facts import CASE, PIPELINE, RECEIVED, Story, intake_into, job
from shared import provenance, selection
from shared.clock import ManualClock
from shared.events.models import InputReady, JobControl, PayloadRef
from shared.identity import case_id, trace_id
from shared.provenance import ModelIdentity, Provenance
from shared.store.folder import FolderStore

STACKS = [
    {"stack": "series 3, B30f, 1 mm", "slices": 300, "chosen": True, "reason": "most slices"},
    {"stack": "series 2, localizer", "slices": 2, "chosen": False, "reason": "localizer"},
]


class WithSelection(Story):
    """Its reader says which stack it chose."""

    def _payload(self, stage: str, port: str) -> PayloadRef:
        if port != "selection":
            return super()._payload(stage, port)
        axes = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
        geometry = {
            "shape": (300, 512, 512),
            "spacing": (1.0, 1.0, 1.0),
            "origin": (0.0, 0.0, 0.0),
            "direction": axes,
            "frame_of_reference_uid": "2.25.1",
        }
        stacks = [{**stack, "series_instance_uid": "2.25.2"} for stack in STACKS]
        found = {"stacks": stacks, "slices": [], "geometry": geometry}
        return selection.keep(selection.Selection.model_validate(found), self.store)


class System:
    """Ledger, store and API, with a clock that stands still."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock(RECEIVED)
        self.store = FolderStore(path / "payloads")
        self.intake: Intake = intake_into(path, self.store, self.clock)
        self.rung: list[None] = []
        self.down: list[str] = []
        ledger = self.intake.ledger
        archive = Archive(ledger, self.store, Definitions(self.store))
        desk = Desk(ledger, self.intake.concluder, self.clock)
        pruner = Pruner(ledger, self.store, self.clock, timedelta(days=8))
        app = create_app(archive, desk, pruner, lambda: self.down, lambda: self.rung.append(None))
        self.http = TestClient(app)

    def get(self, path: str) -> Any:
        return self.http.get(path).json()

    def published(self, kind: str) -> list[Any]:
        with self.intake.ledger.reading() as connection:
            letters = outbox.unsent(connection)
        return [letter.event.data for letter in letters if letter.event.kind == kind]


@pytest.fixture
def system(tmp_path: Path) -> System:
    return System(tmp_path)


def test_a_job_shows_its_stages_outputs_deliveries_and_selection(system: System) -> None:
    story = WithSelection(system.store)
    system.intake.take([story.input_ready(), *(story.made(stage) for stage in PIPELINE.stages)])
    shown = system.get(f"/jobs/{job()}")
    assert {
        name: shown[name] for name in ("job_id", "version", "run", "status", "lane", "supersedes")
    } == {
        "job_id": job(),
        "version": 1,
        "run": 1,
        "status": "completed",
        "lane": "routine",
        "supersedes": None,
    }
    assert shown["trace_id"] == f"{trace_id(job(), 1):032x}"
    assert [stage["stage"] for stage in shown["stages"]] == list(PIPELINE.stages)
    assert shown["stages"][0]["service"] == "reader"
    assert [(stack["stack"], stack["chosen"], stack["reason"]) for stack in shown["selection"]] == [
        (stack["stack"], stack["chosen"], stack["reason"]) for stack in STACKS
    ]
    outputs = {output["name"]: output for output in shown["outputs"]}
    assert list(outputs) == list(PIPELINE.outputs)
    report = outputs["ratio-report"]
    assert Path(report["path"]).read_bytes() == f"{job()} ratio-report dicom".encode()
    assert report["deliveries"] == [
        {
            "destination": "pacs",
            "status": "waiting",
            "attempts": 0,
            "last_error": None,
            "committed": None,
            "next_attempt_at": None,
        }
    ]
    assert outputs["lung-mask"]["deliveries"] == []


def test_a_stage_shows_the_version_of_the_model_that_answered(system: System) -> None:
    story = Story(system.store)
    model = ModelIdentity("lung_seg", "2", "f" * 64, "Lungs")
    ref = provenance.keep(Provenance("lung-seg", "lung_seg", "0", {}, {}, model), system.store)
    segmented = story.made("lung-seg", provenance=ref)
    system.intake.take([story.input_ready(), story.made("reader"), segmented])
    models = {stage["stage"]: stage["model"] for stage in system.get(f"/jobs/{job()}")["stages"]}
    assert models["lung-seg"] == {"name": "lung_seg", "version": "2", "sha256": "f" * 64}
    assert models["reader"] is None


def test_a_refused_job_says_why_in_words(system: System) -> None:
    story = Story(system.store)
    system.intake.take([story.input_ready(), story.refused("reader", "missing-slices")])
    (reason,) = system.get(f"/jobs/{job()}")["reasons"]
    assert (reason["code"], reason["numbers"]) == ("missing-slices", {"slices": 3})
    assert reason["text"].startswith("Slices are missing.")


def test_jobs_are_listed_newest_first_and_by_status(system: System) -> None:
    system.intake.take([*Story(system.store).whole(), Story(system.store, 2).input_ready()])
    listed = [(each["version"], each["status"]) for each in system.get("/jobs")]
    assert listed == [(2, "running"), (1, "superseded")]
    assert [each["job_id"] for each in system.get("/jobs?status=running")] == [job(2)]
    refused = system.http.get("/jobs?status=lost")
    assert (refused.status_code, "status (Input should be 'running'" in refused.text) == (422, True)


def test_a_job_names_the_one_that_replaced_it(system: System) -> None:
    system.intake.take([*Story(system.store).whole(), Story(system.store, 2).input_ready()])
    for version, newer in ((1, job(2)), (2, None)):
        assert system.get(f"/jobs/{job(version)}")["superseded_by"] == newer
    assert [each["superseded_by"] for each in system.get("/jobs")] == [None, job(2)]


def test_jobs_of_which_a_delivery_waits_or_was_not_taken_are_found(system: System) -> None:
    waits, held, failed, left, arrived = (f"study {number}" for number in range(5))
    for case in (waits, held, failed, left, arrived):
        system.intake.take(Story(system.store, case=case).whole())
    system.intake.take([*Story(system.store).whole(), Story(system.store, 2).input_ready()])
    ends = {held: "held", failed: "failed", left: "failed", arrived: "delivered"}
    with system.intake.ledger.transaction() as connection:
        for case, status in ends.items():
            of_case = deliveries.c.job_id == job(case=case)
            connection.execute(update(deliveries).where(of_case).values(status=status))
    system.http.post(f"/failures/discard?job={job(case=left)}")
    found = {each["case_id"] for each in system.get("/jobs?undelivered=true")}
    assert found == {waits, held, failed}


def test_a_delivery_that_was_put_off_says_until_when(system: System) -> None:
    system.intake.take(Story(system.store).whole())
    later = RECEIVED + timedelta(minutes=5)
    with system.intake.ledger.transaction() as connection:
        reports = deliveries.c.kind == "encapsulated-pdf"
        connection.execute(update(deliveries).values(next_attempt_at=later))
        connection.execute(update(deliveries).where(reports).values(claimed_by="a replica"))
    outputs = system.get(f"/jobs/{job()}")["outputs"]
    told = {out["kind"]: each["next_attempt_at"] for out in outputs for each in out["deliveries"]}
    assert told == {"seg": "2026-01-01T08:05:00Z", "encapsulated-pdf": None}


def test_the_jobs_of_a_case_are_found_however_many_came_since(system: System) -> None:
    newer = case_id("covid19-ct", "another study", "study")
    began = RECEIVED + timedelta(days=1)
    system.intake.take(Story(system.store).whole())
    system.intake.take(Story(system.store, case=newer, began=began).whole())
    assert system.get("/pipelines") == ["covid19-ct"]
    for case in (CASE, newer):
        asked = f"/jobs?limit=1&case_id={case}&case_id=of-another-pipeline"
        assert [each["case_id"] for each in system.get(asked)] == [case]
    assert system.get("/jobs?case_id=of-another-pipeline") == []


def test_the_beginning_of_an_id_will_do(system: System) -> None:
    system.intake.take(Story(system.store).whole())
    assert system.get(f"/jobs/{job()[:6]}")["job_id"] == job()


def test_an_unknown_job_is_a_problem_that_says_what_to_do(system: System) -> None:
    answer = system.http.get("/jobs/nobody")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unknown-job"
    assert "List the jobs" in answer.json()["detail"]


def test_a_finished_job_can_be_run_again_with_the_input_it_had(system: System) -> None:
    story = Story(system.store)
    system.intake.take(story.whole())
    system.clock.advance(60)
    answer = system.http.post(f"/jobs/{job()}/rerun", params={"fresh": True})
    assert (answer.status_code, answer.json()) == (202, {"job_id": job(), "run": 2})
    (asked,) = system.published("input-ready")
    before = story.input_ready().event.data
    assert isinstance(asked, InputReady)
    assert isinstance(before, InputReady)
    assert (asked.run, asked.fresh, asked.stage) == (2, True, "ingest")
    assert asked.payloads == before.payloads
    assert system.rung == [None]
    assert system.get(f"/jobs/{job()}")["status"] == "running"


def test_a_running_job_is_not_run_twice_at_once(system: System) -> None:
    system.intake.take(Story(system.store).whole())
    system.http.post(f"/jobs/{job()}/rerun")
    answer = system.http.post(f"/jobs/{job()}/rerun")
    assert (answer.status_code, answer.json()["code"]) == (409, "job-running")
    assert len(system.published("input-ready")) == 1


def test_a_superseded_job_points_to_its_successor(system: System) -> None:
    system.intake.take([*Story(system.store).whole(), Story(system.store, 2).input_ready()])
    answer = system.http.post(f"/jobs/{job(1)}/rerun")
    assert answer.json()["code"] == "job-superseded"
    assert job(2) in answer.json()["detail"]


def test_a_running_job_can_be_cancelled(system: System) -> None:
    story = Story(system.store)
    system.intake.take([story.input_ready(), story.made("reader")])
    answer = system.http.post(f"/jobs/{job()}/cancel")
    assert answer.json()["status"] == "cancelled"
    assert system.published("job-control") == [JobControl(job_id=job(), cancelled_to_run=1)]
    assert system.http.post(f"/jobs/{job()}/cancel").json()["code"] == "job-not-running"


def test_a_job_that_is_late_fails_with_its_deadline(system: System) -> None:
    story = Story(system.store)
    system.intake.take([story.input_ready(), story.made("reader")])
    system.clock.advance(21 * PIPELINE.deadline)
    assert sweep(system.intake.ledger, system.intake.concluder, RECEIVED) == 1
    shown = system.get(f"/jobs/{job()}")
    assert shown["status"] == "failed"
    assert [reason["code"] for reason in shown["reasons"]] == ["deadline"]
    status = {stage["stage"]: stage["status"] for stage in shown["stages"]}
    assert (status["reader"], status["lung-seg"]) == ("succeeded", "failed")
    assert status["lung-dicom-seg"] == "skipped"


def test_what_comes_after_the_end_changes_it_no_more(system: System) -> None:
    story = Story(system.store)
    system.intake.take([story.input_ready()])
    system.http.post(f"/jobs/{job()}/cancel")
    system.intake.take(story.whole())
    shown = system.get(f"/jobs/{job()}")
    assert shown["status"] == "cancelled"
    assert all(output["deliveries"] == [] for output in shown["outputs"])


def test_failures_are_listed_with_where_to_look(system: System) -> None:
    story = Story(system.store)
    system.intake.take([story.input_ready(), story.failed("reader")])
    (failure,) = system.get("/failures")
    assert (failure["stage"], failure["attempts"], failure["verdict"]) == ("reader", 3, "failed")


def test_a_discarded_failure_is_listed_no_more(system: System) -> None:
    story = Story(system.store)
    system.intake.take([story.input_ready()])
    assert system.http.post(f"/jobs/{job()}/discard").json()["code"] == "job-running"
    system.intake.take([story.failed("reader")])
    assert system.http.post(f"/jobs/{job()}/discard").json()["status"] == "failed"
    assert system.get("/failures") == []


def test_health_says_why_not(system: System) -> None:
    assert system.http.get("/health").status_code == 200
    system.down.append("ledger does not answer")
    answer = system.http.get("/health")
    assert answer.status_code == 503
    assert answer.json()["why_not"] == ["ledger does not answer"]


def test_a_running_job_says_which_stages_it_waits_for_and_since_when(system: System) -> None:
    story = Story(system.store)
    volume = story.made("reader")
    system.intake.take([story.input_ready(), volume])
    held = {each["stage"]: each["since"] for each in system.get(f"/jobs/{job()}")["waits_for"]}
    made_at = volume.event.time.isoformat().replace("+00:00", "Z")
    assert held == {"lung-seg": made_at, "lesion-seg": made_at}
    (listed,) = system.get("/jobs")
    assert listed["last_news"] == made_at


def test_a_finished_job_waits_for_nothing(system: System) -> None:
    system.intake.take(Story(system.store).whole())
    assert system.get(f"/jobs/{job()}")["waits_for"] == []
    assert system.get("/jobs")[0]["last_news"] is None
