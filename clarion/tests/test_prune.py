"""`clarion prune` against a results API."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from clarion.__main__ import build

FIRST: dict[str, Any] = {
    "dry_run": False,
    "before": "2026-01-01T08:00:00Z",
    "jobs": ["1", "2"],
    "payloads": 20,
    "bytes": 3_000_000,
    "kept": {"not-delivered": 1},
    "next": "2",
}
LAST = FIRST | {"jobs": ["3"], "payloads": 10, "bytes": 500_000, "next": None}


class Rounds(HTTPServer):
    """Answers as results would, one round after the other."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: list[str] = []
        self.answers = [FIRST, LAST]


class Answers(BaseHTTPRequestHandler):
    server: Rounds

    def do_POST(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.answers.pop(0)).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rounds]:
    server = Rounds()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("CLARION_RESULTS_URL", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()


def _prune(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["prune", *arguments])


def test_it_goes_on_until_nothing_is_left_to_prune(results: Rounds) -> None:
    told = _prune("--older-than", "4w")
    first = "/prune?older_than_days=28&dry_run=false"
    assert results.asked == [first, f"{first}&after=2"]
    assert told.stderr == "2 jobs so far\n"
    assert told.stdout == (
        "3 jobs pruned: 30 payloads, 3.5 MB\n"
        "2 as old stay: something has not reached its destination\n"
    )


def test_a_dry_run_is_passed_on_and_told_in_json(results: Rounds) -> None:
    results.answers = [LAST | {"dry_run": True}]
    assert json.loads(_prune("--dry-run", "--json").output) == LAST | {"dry_run": True}
    assert results.asked == ["/prune?older_than_days=30&dry_run=true"]


@pytest.mark.parametrize("age", ["", "30", "d", "0d", "1.5d", "-3d", "2y"])
def test_an_age_that_is_none_is_refused(age: str) -> None:
    assert _prune("--older-than", age).exit_code == 2
