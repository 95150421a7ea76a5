"""`clarion jobs` and `clarion failures` against a results API."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from clarion.__main__ import build

JOB = {
    "job_id": "11111111-2222",
    "case_id": "c",
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
WHOLE = JOB | {"selection": [STACK], "stages": [STAGE], "outputs": [OUTPUT]}
RUNNING = {"code": "job-running", "detail": "The job runs. Wait until it has finished."}


class Answers(BaseHTTPRequestHandler):
    """Answers as results would."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self._answer(200, {"/jobs": [SUMMARY], "/jobs/1111": WHOLE}[path])

    def do_POST(self) -> None:
        if "fresh=true" in self.path:
            self._answer(202, {"job_id": JOB["job_id"], "run": 2})
        else:
            self._answer(409, RUNNING)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


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


def test_a_job_is_shown_with_its_stages_files_and_deliveries(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["jobs", "show", "1111"]).stdout
    for words in (
        "series [3], 1 mm: most slices",
        "1.50",
        "pacs held, attempt 2, presentation-context-rejected",
        "lung.dcm",
        "contrast",
        "lung_seg 2 (23587dbf)",
    ):
        assert words in shown
    assert json.loads(clarion.invoke(build(), ["jobs", "show", "1111", "--json"]).stdout) == WHOLE


def test_running_again_says_which_run_begins(clarion: CliRunner) -> None:
    begun = clarion.invoke(build(), ["jobs", "rerun", "1111", "--fresh"])
    assert begun.stdout == "run 2 of 11111111-2222 begins\n"


def test_a_refused_request_fails_in_the_service_s_words(clarion: CliRunner) -> None:
    refused = clarion.invoke(build(), ["jobs", "rerun", "1111"])
    assert refused.exit_code == 1
    assert "Wait until it has finished" in str(refused.exception)
