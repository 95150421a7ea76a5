"""`clarion load` refuses what it can't do before it draws or sends anything."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clarion.__main__ import build
from clarion.failure import Failure


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


def _load(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["load", *arguments])
