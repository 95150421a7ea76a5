"""`clarion load` refuses what it can't do before it draws or sends anything, and ends in words."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clarion.__main__ import build
from clarion.failure import Failure
from clarion.load.judging import Lost
from clarion.load.report import Report, Verdict
from clarion.load.tests.reports import HELD


def test_a_system_that_is_down_is_not_put_under_load(tmp_path: Path) -> None:
    done = _load("--home", str(tmp_path))
    assert isinstance(done.exception, Failure)
    assert "not-up" in str(done.exception)


def test_another_machine_is_never_put_under_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARION_RESULTS_URL", "http://10.0.0.5:8081")
    done = _load("--home", str(tmp_path))
    assert isinstance(done.exception, Failure)
    assert "not-loopback" in str(done.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rate", "300"],
        ["--lanes", "urgent=1"],
        ["--faults", "sleep=0.1"],
        ["--phantoms", "HUGE"],
        ["--profile", "quiet-night"],
        ["--profile", "hospital-hour", "--from", "."],
        ["--profile", "hospital-hour", "--capacity"],
        ["--studies", "0"],
    ],
)
def test_what_is_no_load_is_wrong_usage(arguments: list[str]) -> None:
    assert _load(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("lost", "status", "words"),
    [
        ((), 0, "nothing lost, all delivered: 9 studies, jobs: completed 9"),
        ((Lost("case", "2.25.1", "no job began"),), 1, "not well: 9 studies, lost 1"),
    ],
)
def test_the_last_line_is_the_verdict(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lost: tuple[Lost, ...],
    status: int,
    words: str,
) -> None:
    _came_to(replace(HELD, verdict=Verdict(lost)), monkeypatch)
    told, for_programs = (_load("--home", str(tmp_path), *more) for more in ((), ("--json",)))
    assert (told.exit_code, told.output.splitlines()[-1]) == (status, words)
    assert (for_programs.exit_code, json.loads(for_programs.stdout)["ok"]) == (status, not lost)


def _came_to(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is drawn or sent; the run comes to this."""

    @contextmanager
    def opened(*_: object) -> Iterator[None]:
        yield

    monkeypatch.setattr("clarion.load.system.require_up", lambda _: None)
    monkeypatch.setattr("clarion.load.session.phantoms", lambda *_: ())
    monkeypatch.setattr("clarion.load.session.opened", opened)
    monkeypatch.setattr("clarion.commands.load._ran", lambda *_: report)


def _load(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["load", *arguments])
