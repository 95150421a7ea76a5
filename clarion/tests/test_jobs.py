"""`clarion jobs` and `clarion failures` against a results API."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, get_args
from urllib.parse import parse_qs

import pytest
from typer.testing import CliRunner

from clarion.__main__ import build
from services.results.progress import JobStatus
from shared.identity import case_id

JOB = {
    "job_id": "11111111-2222",
    "case_id": case_id("covid19-ct", "1.2.3", "study"),
    "version": 1,
    "supersedes": None,
    "run": 1,
    "pipeline": "covid19-ct",
    "lane": "stat",
    "status": "partial",
    "reasons": [{"code": "defect", "numbers": {}, "text": "A service failed."}],
    "warnings": ["contrast"],
    "trace_id": "0" * 32,
    "received_at": "2026-01-01T08:00:00Z",
    "finished_at": None,
}
SUMMARY = JOB | {"deliveries": {"delivered": 1, "waiting": 1}}
OLD = SUMMARY | {"case_id": case_id("retired", "1.2.9", "study"), "pipeline": "retired"}
STAGE = {
    "stage": "ratio",
    "service": "ratio",
    "status": "failed",
    "attempts": 3,
    "started_at": "2026-01-01T08:00:00Z",
    "finished_at": "2026-01-01T08:00:01.5Z",
    "reasons": [{"code": "defect", "numbers": {}, "text": "A service failed."}],
    "model": {"name": "lung_seg", "version": "2", "sha256": "23587dbf" + "0" * 56},
}
DELIVERY = {
    "destination": "pacs",
    "status": "held",
    "attempts": 2,
    "last_error": "presentation-context-rejected",
    "committed": None,
}
OUTPUT = {
    "name": "lung-seg",
    "kind": "seg",
    "sop_instance_uid": "2.25.1",
    "path": "lung.dcm",
    "deliveries": [DELIVERY],
}
STACK = {"stack": "series [3], 1 mm", "chosen": True, "reason": "most slices"}
HOLDER = {"stage": "classifier", "service": "classifier", "since": "2026-01-01T08:00:00Z"}
WHOLE = JOB | {
    "selection": [STACK],
    "waits_for": [HOLDER],
    "stages": [STAGE],
    "outputs": [OUTPUT],
}
RUNNING = {"code": "job-running", "detail": "The job runs. Wait until it has finished."}


def _problem(code: str, detail: str, remedy: str) -> dict[str, str]:
    return {"code": code, "detail": f"{detail} {remedy}", "remedy": remedy}


UNKNOWN = _problem("unknown-job", "No job's id begins with '9'.", "List the jobs (GET /jobs).")
NOTHING_CHOSEN = _problem("nothing-chosen", "Which was not said.", "Name a job or say all=true.")
NOT_UNDERSTOOD = _problem(
    "invalid-request", "Not understood: limit (too big).", "See /openapi.json."
)
REASONS: list[dict[str, Any]] = [
    {"code": code, "numbers": {}, "text": "."}
    for code in ("duplicate-positions", "unsupported-transfer-syntax")
]
REFUSED = SUMMARY | {"lane": "routine", "status": "refused", "reasons": REASONS, "deliveries": {}}
HELD = SUMMARY | {"reasons": [], "finished_at": "2026-01-01T08:01:00Z", "deliveries": {"held": 4}}
LONG = WHOLE | {
    "stages": [
        STAGE | {"stage": "classification-report", "service": "writers", "status": "succeeded"},
        STAGE | {"stage": "lung-seg~lung_seg_v2", "service": "lung_seg_v2", "reasons": REASONS},
    ],
    "outputs": [OUTPUT | {"name": "classification-report", "kind": "encapsulated-pdf"}],
}

FAILURE = {
    "job_id": JOB["job_id"],
    "run": 1,
    "trace_id": "0" * 32,
    "stage": "lesion-dicom-seg",
    "service": "lesion_seg",
    "verdict": "failed",
    "reasons": [{"code": "out-of-memory", "numbers": {}, "text": "It needed too much memory."}],
    "attempts": 3,
    "failed_at": "2026-01-01T08:00:00Z",
    "exception_type": "MemoryError",
    "place": "handler.py:7",
    "details": "/in/another/container/details.txt",
    "cause": {"id": "1", "type": "clarion.mask-ready.v1", "topic": "t"},
}
REPLAYED = [
    {"job_id": JOB["job_id"], "done": True, "run": 2, "code": None, "detail": None},
    {"job_id": "2222", "done": False, "run": None, "code": "job-running", "detail": "It runs."},
]
PORTIONS = {
    "code=defect&fresh=false": {"jobs": REPLAYED[:1], "next": "1111"},
    "code=defect&fresh=false&after=1111": {"jobs": REPLAYED[1:], "next": None},
}
DETAILS = f"/failures/{JOB['job_id']}/lesion-dicom-seg/details"
HEALTH = {"service": "reader", "live": True, "ready": False, "why_not": [], "halted": True}
ANSWERS = {
    "/jobs": [SUMMARY],
    "/pipelines": ["covid19-ct", "retired"],
    "/jobs/1111": WHOLE,
    "/jobs/2222": LONG,
    "/failures": [FAILURE],
    "/health": HEALTH,
}


class Answers(BaseHTTPRequestHandler):
    """Answers as results would."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == DETAILS:
            self._say(200, b"Traceback: all of it")
        elif "case_id=" in self.path:
            asked = parse_qs(self.path)["case_id"]
            self._answer(200, [each for each in (SUMMARY, OLD) if each["case_id"] in asked])
        elif "status=refused" in self.path:
            self._answer(200, [REFUSED, HELD])
        elif "status=failed" in self.path:
            self._answer(200, [])
        elif path == "/jobs/9":
            self._answer(404, UNKNOWN)
        elif "limit=20000" in self.path:
            self._answer(422, NOT_UNDERSTOOD)
        elif "code=everything" in self.path:
            self._answer(200, [FAILURE] * int(self.path.rpartition("limit=")[2]))
        else:
            self._answer(200, ANSWERS[path])

    def do_POST(self) -> None:
        path, _, asked = self.path.partition("?")
        if self.path == "/failures/replay?fresh=false":
            self._answer(422, NOTHING_CHOSEN)
        elif path == "/failures/replay":
            self._answer(202, PORTIONS[asked])
        elif self.path == "/jobs/1111/lane?lane=stat":
            self._answer(202, WHOLE)
        elif self.path == "/resume":
            self._answer(200, {"service": "reader", "resumed": True})
        elif "fresh=true" in self.path:
            self._answer(202, {"job_id": JOB["job_id"], "run": 2})
        else:
            self._answer(409, RUNNING)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: object) -> None:
        self._say(status, json.dumps(body).encode())

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def clarion() -> Iterator[CliRunner]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield CliRunner(env={"CLARION_RESULTS_URL": url, "COLUMNS": "120"})
        server.shutdown()


def test_jobs_are_listed_for_people_and_for_programs(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["jobs"])
    assert shown.exit_code == 0
    line = shown.stdout.splitlines()[1].split()
    assert line[2:] == ["11111111", "1", "1", "stat", "covid19-ct", "partial", "1/2", "defect"]
    assert json.loads(clarion.invoke(build(), ["jobs", "--json"]).stdout) == [SUMMARY]


@pytest.mark.parametrize(
    ("study", "found"), [("1.2.3", [SUMMARY]), ("1.2.9", [OLD]), ("1.2.34", [])]
)
def test_the_jobs_of_a_study_are_found_by_its_uid(
    clarion: CliRunner, study: str, found: list[object]
) -> None:
    listed = clarion.invoke(build(), ["jobs", "--study", study, "--json"])
    assert json.loads(listed.stdout) == found


def test_a_job_is_shown_with_its_stages_files_and_deliveries(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["jobs", "show", "1111"]).stdout
    for words in (
        "series [3], 1 mm: most slices",
        "1.50",
        "pacs held, attempt 2, presentation-context-rejected",
        "lung.dcm",
        "contrast",
        "lung_seg 2 (23587dbf)",
        "classifier (classifier) since",
    ):
        assert words in shown
    assert json.loads(clarion.invoke(build(), ["jobs", "show", "1111", "--json"]).stdout) == WHOLE


def test_a_job_is_shown_whole_in_80_columns(clarion: CliRunner) -> None:
    lines = _in_80_columns(clarion, "jobs", "show", "2222")
    assert max(map(len, lines)) <= 80
    shown = " ".join(" ".join(lines).split())
    for words in (
        "classification-report succeeded 3 1.50 lung_seg 2 (23587dbf)",
        "lung-seg~lung_seg_v2 failed 3 1.50 lung_seg 2 (23587dbf)",
        "duplicate-positions, unsupported-transfer-syntax",
        "encapsulated-pdf pacs held, attempt 2, presentation-context-rejected",
    ):
        assert words in shown


def test_jobs_are_listed_with_whole_reasons_in_80_columns(clarion: CliRunner) -> None:
    head, *lines = _in_80_columns(clarion, "jobs", "--status", "refused")
    assert max(map(len, lines)) <= 80
    assert head.split() == ["received", "job", "pipeline", "status", "sent", "why"]
    assert [" ".join(line.split()[2:]) for line in lines] == [
        "11111111 covid19-ct refused - duplicate-positions,",
        "",
        "11111111 covid19-ct partial 0/4 4 held: see jobs show",
    ]
    assert lines[1].split() == ["unsupported-transfer-syntax"]


@pytest.mark.parametrize("columns", ["140", None])
def test_where_there_is_room_or_no_terminal_every_line_is_whole(
    clarion: CliRunner, columns: str | None
) -> None:
    shown = clarion.invoke(build(), ["jobs", "show", "2222"], env={"COLUMNS": columns}).stdout
    (line,) = (line for line in shown.splitlines() if "lung-seg~" in line)
    whole = (
        "lung-seg~lung_seg_v2 lung_seg_v2 failed 3 1.50 lung_seg 2 (23587dbf) duplicate-positions,"
    )
    assert " ".join(line.split()).startswith(whole)
    listed = clarion.invoke(build(), ["jobs", "--status", "refused"], env={"COLUMNS": columns})
    assert "duplicate-positions, unsupported-transfer-syntax" in listed.stdout


def test_where_there_are_no_jobs_that_is_said(clarion: CliRunner) -> None:
    assert clarion.invoke(build(), ["jobs", "--status", "failed"]).stdout == "no jobs\n"
    of_study = clarion.invoke(build(), ["jobs", "--study", "1.2.34"]).stdout
    assert of_study.startswith("no jobs; ")
    assert "admits no image" in of_study
    for none in (["--status", "failed"], ["--study", "1.2.34"]):
        assert json.loads(clarion.invoke(build(), ["jobs", *none, "--json"]).stdout) == []


def test_a_warning_is_told_in_the_words_of_the_reports(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["jobs", "show", "1111"]).stdout
    assert "contrast: Contrast medium was given." in shown


def test_the_statuses_that_a_job_can_have_are_listed(clarion: CliRunner) -> None:
    bogus = clarion.invoke(build(), ["jobs", "--status", "bogus"])
    assert bogus.exit_code == 2
    helped = clarion.invoke(build(), ["jobs", "--help"])
    for status in get_args(JobStatus):
        assert status in bogus.stderr
        assert status in helped.stdout


@pytest.mark.parametrize(
    ("arguments", "words", "others"),
    [
        (["jobs", "show", "9"], "`clarion jobs`", "GET"),
        (["jobs", "--limit", "20000"], "limit (too big). See the command's --help", "openapi"),
        (["failures", "replay"], "--all", "all=true"),
    ],
)
def test_a_remedy_names_commands_and_options(
    clarion: CliRunner, arguments: list[str], words: str, others: str
) -> None:
    told = str(clarion.invoke(build(), arguments).exception)
    assert words in told
    assert others not in told


@pytest.mark.parametrize(
    "arguments",
    [["jobs", "show"], ["jobs", "rerun"], ["jobs", "cancel"], ["failures", "show"]],
)
def test_an_empty_id_is_asked_for(clarion: CliRunner, arguments: list[str]) -> None:
    told = str(clarion.invoke(build(), [*arguments, ""]).exception)
    assert told.startswith("a job's id is needed")


def test_running_again_says_which_run_begins(clarion: CliRunner) -> None:
    begun = clarion.invoke(build(), ["jobs", "rerun", "1111", "--fresh"])
    assert begun.stdout == "run 2 of 11111111-2222 begins\n"


def test_a_refused_request_fails_in_the_service_s_words(clarion: CliRunner) -> None:
    refused = clarion.invoke(build(), ["jobs", "rerun", "1111"])
    assert refused.exit_code == 1
    assert "Wait until it has finished" in str(refused.exception)


def test_a_listing_of_failures_that_is_cut_says_so(clarion: CliRunner) -> None:
    cut = clarion.invoke(build(), ["failures", "list", "--code", "everything", "--json"])
    assert len(json.loads(cut.stdout)) == 1000
    assert cut.stderr.startswith("the newest 1000 of more")
    assert not clarion.invoke(build(), ["failures", "list", "--json"]).stderr


def test_failures_are_listed_in_words_within_80_columns(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["failures", "list"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    assert max(map(len, shown.stdout.splitlines())) <= 80
    for words in ("11111111", "lesion_seg", "out-of-memory", "too much", "3"):
        assert words in shown.stdout


def test_a_failure_is_shown_with_its_trace_and_what_woke_it(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["failures", "show", "1111"]).stdout
    for words in ("clarion trace 11111111", "MemoryError at handler.py:7", "mask-ready", "3 att"):
        assert words in shown


def test_what_the_service_said_is_asked_of_the_service_that_can_read_it(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["failures", "show", "1111"])
    assert shown.stdout.splitlines()[-1] == "Traceback: all of it"


def test_a_replay_says_what_was_done_of_each_job_and_fails_where_nothing_was(
    clarion: CliRunner,
) -> None:
    shown = clarion.invoke(build(), ["failures", "replay", "--code", "defect"])
    assert shown.stdout.splitlines() == [
        "run 2 of 11111111-2222 begins",
        "2222: job-running: It runs.",
    ]
    assert shown.stderr == "1 jobs so far\n"
    assert shown.exit_code == 1
    assert "1 of 2 jobs" in str(shown.exception)
    told = clarion.invoke(build(), ["failures", "replay", "--code", "defect", "--json"])
    assert json.loads(told.stdout) == REPLAYED


def test_a_job_changes_its_lane(clarion: CliRunner) -> None:
    moved = clarion.invoke(build(), ["jobs", "lane", "1111", "stat"])
    assert moved.stdout == "job 11111111-2222 goes by the lane stat\n"


def test_only_a_service_that_can_halt_is_resumed(clarion: CliRunner) -> None:
    refused = clarion.invoke(build(), ["failures", "resume", "console"])
    assert refused.exit_code == 1
    assert "unknown-service" in str(refused.exception)


def test_of_a_system_elsewhere_it_is_said_that_nobody_was_asked_who_halted(
    clarion: CliRunner,
) -> None:
    listed = clarion.invoke(build(), ["failures", "list"])
    assert (listed.exit_code, "not known here" in listed.stderr) == (0, True)
    for arguments in (["resume"], ["resume", "reader"]):
        refused = clarion.invoke(build(), ["failures", *arguments])
        assert (refused.exit_code, "--at HOST:PORT" in str(refused.exception)) == (1, True)


def test_a_service_elsewhere_is_resumed_at_its_address(clarion: CliRunner) -> None:
    at = (clarion.env["CLARION_RESULTS_URL"] or "").removeprefix("http://")
    resumed = clarion.invoke(build(), ["failures", "resume", "reader", "--at", at])
    assert resumed.stdout == "reader goes on\n"
    other = clarion.invoke(build(), ["failures", "resume", "ratio", "--at", at])
    assert "another-service" in str(other.exception)


def test_an_address_belongs_to_a_service_that_is_named(clarion: CliRunner) -> None:
    assert clarion.invoke(build(), ["failures", "resume", "--at", "127.0.0.1:9"]).exit_code == 2


def _in_80_columns(clarion: CliRunner, *arguments: str) -> list[str]:
    shown = clarion.invoke(build(), arguments, env={"COLUMNS": "80"})
    return [line.rstrip() for line in shown.stdout.splitlines()]
