"""`clarion top` against a snapshot."""

import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from clarion.__main__ import build
from clarion.figures import screen

PLACE = {"lane": "stat", "pipeline": "covid19-ct"}
LATENCY = {"duration_p50_s": 1.5, "duration_p95_s": 4.25, "duration_count": 7}
SNAPSHOT: dict[str, Any] = {
    "at": "2026-03-01T08:00:00+00:00",
    "why_not": [],
    "windows": {
        "5 min": [
            {"key": PLACE, "figures": {"begun": 9, "completed": 6, "end_to_end_p50_s": 21.0,
                                       "end_to_end_p95_s": 43.5, "per_min": 3}},
            {"key": {"stage": "classification-report"} | PLACE,
             "figures": {"succeeded": 7, "refused": 1, "per_min": 1.6} | LATENCY},
            {"key": {"stage": "reader", "code": "too-few-slices"} | PLACE,
             "figures": {"refused": 1, "per_min": 0.2}},
            {"key": {"code": "too-few-slices"} | PLACE, "figures": {"refused": 1, "per_min": 0.2}},
            {"key": {"code": "deadline"} | PLACE, "figures": {"failed": 2, "per_min": 0.4}},
        ]
    },
    "in_work": [{"key": PLACE, "figures": {"in_work": 3}}],
    "backlog": [{"service": "lung_seg", "lane": "stat", "events": 12}],
    "senders": [{"sender": "CT_1", "last_study_s": 7300.0}],
    "alerts": [{"code": "silent-sender", "key": {"sender": "CT_1"}, "window": "8 d",
                "figures": {"silent_s": 7300}, "since": "2026-03-01T06:00:00+00:00"},
               {"code": "standing-job", "window": "live",
                "key": {"job": "0d9c3a52-1f", "run": "1", "stage": "ratio", "service": "ratio"},
                "figures": {"stands_s": 68.0, "restarts": 1.0},
                "since": "2026-03-01T07:58:52+00:00"}],
}  # fmt: skip


class Answers(BaseHTTPRequestHandler):
    """Answers as statistics would."""

    snapshot = SNAPSHOT

    def do_GET(self) -> None:
        body = json.dumps(self.snapshot).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nowhere."""


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _said(url: str, *options: str, columns: int = 120) -> str:
    environment = {"CLARION_STATISTICS_URL": url, "COLUMNS": str(columns)}
    result = CliRunner().invoke(build(), ["top", *options], env=environment)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("columns", [80, 120])
def test_it_shows_jobs_stages_refusals_backlogs_senders_and_alerts(url: str, columns: int) -> None:
    words = [line.split() for line in _said(url, "--once", columns=columns).splitlines()]
    wanted = [
        "covid19-ct stat 3 9 6 0 0 0 21.0 43.5 0",
        "classification-report stat 1.6 7 0 1 0 1.50 4.25 - -",
        "reader stat too-few-slices 1",
        "job stat deadline 2",
        "lung_seg 12 0 0",
        "CT_1 2 h ago",
        "silent-sender CT_1 silent_s 7300",
        "standing-job 0d9c3a52 ratio ratio stands_s 68, restarts 1",
    ]
    assert [line for line in wanted if line.split() not in words] == []
    assert sum("too-few-slices" in line for line in words) == 1


@pytest.mark.parametrize(
    ("columns", "heading"),
    [
        (80, "stage lane min ok reused refused failed p50 p95 p50 p95"),
        (120, "stage lane per min succeeded reused refused failed took p50 took p95"),
    ],
)
def test_headings_are_whole_in_a_terminal_of(url: str, columns: int, heading: str) -> None:
    said = _said(url, "--once", columns=columns)
    assert heading in {" ".join(line.split())[: len(heading)] for line in said.splitlines()}
    assert "…" not in said


def test_for_programs_it_prints_the_snapshot(url: str) -> None:
    assert json.loads(_said(url, "--json")) == {**SNAPSHOT, "halted": []}


STAGES = [
    {"key": {"stage": f"stage-{number}", "lane": lane}, "figures": {"per_min": 1.0}}
    for lane in ("routine", "stat")
    for number in range(11)
]
LONG = {**SNAPSHOT, "windows": {"5 min": [*SNAPSHOT["windows"]["5 min"], *STAGES]}}


def _live(monkeypatch: pytest.MonkeyPatch, url: str, rows: int) -> list[str]:
    """The lines of the screen at Ctrl-C, in a terminal of so many rows."""

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    environment = {"CLARION_STATISTICS_URL": url, "COLUMNS": "80", "LINES": str(rows)}
    terminal = {"TERM": "xterm", "TTY_COMPATIBLE": "1"}
    said = CliRunner().invoke(build(), ["top"], env=environment | terminal).output
    frame = said.rpartition("\x1b[H")[2].partition("\x1b[?1049l")[0]
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*\w", "", frame).splitlines()]


def test_what_a_low_terminal_lacks_is_counted_and_alerts_come_first(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answers, "snapshot", LONG)
    whole = [line.rstrip() for line in _said(url, "--once", columns=80).splitlines()]
    assert [line.split()[0] for line in whole[1:4]] == ["alert", "silent-sender", "standing-job"]
    told = f"{len(whole) - 23} more lines: clarion top --once shows all"
    assert _live(monkeypatch, url, 24) == [*whole[:23], told]


def test_a_screen_that_fits_is_whole(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [line.rstrip() for line in _said(url, "--once", columns=80).splitlines()]
    assert _live(monkeypatch, url, len(whole)) == whole


def _first_lines(**more: list[str]) -> list[str]:
    console = Console(width=80, record=True, file=StringIO())
    console.print(screen({**SNAPSHOT, "halted": [], **more}))
    return console.export_text().splitlines()[:2]


def test_a_service_that_has_halted_is_named_first_with_what_to_do() -> None:
    told = "lung_seg has halted after a burst of failures: clarion failures resume lung_seg"
    assert _first_lines(halted=["lung_seg"])[1] == told


def test_why_figures_are_not_whole_is_told_first_and_of_which_day_they_are() -> None:
    head, why = _first_lines(why_not=["kafka does not answer"])
    assert why == "not whole: kafka does not answer"
    assert datetime.fromisoformat(head[:19]).astimezone() == datetime(2026, 3, 1, 8, tzinfo=UTC)
