"""Commands say what went wrong on stderr and with their exit status."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from clarion.__main__ import build
from clarion.commands import system
from clarion.failure import Failure, explain
from deploy.embedded.survivors import MARK
from services.ingest.settings import IngestSettings

_ARCHIVE = {"ae_title": "ARCHIVE", "host": "10.0.0.5", "port": 104}
_CUT_OFF = '{"pacs'
_MISSPELT = json.dumps({"pacs": {"aetitle": "ARCHIVE", "host": "10.0.0.5", "port": 104}})


def test_wrong_usage_is_2(tmp_path: Path) -> None:
    done = _clarion("up", "--sideways", home=tmp_path)

    assert done.returncode == 2
    assert "--sideways" in done.stderr


def test_settings_that_are_wrong_are_1_and_named(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("ports: {nobody: 1}\n")

    done = _clarion("down", home=tmp_path)

    assert done.returncode == 1
    assert "nobody" in done.stderr
    assert "Traceback" not in done.stderr


def test_down_of_what_is_not_up_is_0(tmp_path: Path) -> None:
    assert _clarion("down", home=tmp_path).returncode == 0


def test_doctor_tells_a_program_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("ports: {nobody: 1}\n")

    done = _clarion("doctor", "--json", home=tmp_path)

    [failed] = [each for each in json.loads(done.stdout) if not each["ok"]]
    assert failed["check"] == "settings"
    assert "nobody" in failed["detail"]
    assert "settings.yaml" in failed["remedy"]
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("variable", "told", "wrong", "example"),
    [
        ("CLARION_DESTINATIONS", _CUT_OFF, "neither JSON nor YAML", json.dumps({"pacs": _ARCHIVE})),
        ("CLARION_DESTINATIONS", _MISSPELT, "pacs.ae_title: Field", json.dumps({"pacs": _ARCHIVE})),
        ("CLARION_AES", "{COVID19: {pipe", "neither JSON nor YAML", "covid19-ct"),
        ("CLARION_AES", "{COVID19: {lane: stat}}", "COVID19.pipeline: Field", "covid19-ct"),
    ],
)
def test_settings_that_no_one_can_read_are_told_by_up_as_by_doctor(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    told: str,
    wrong: str,
    example: str,
) -> None:
    _set(tmp_path, **{variable: told})
    started = []

    async def bring_up(*what: object) -> None:
        started.append(what)

    monkeypatch.setattr(system, "bring_up", bring_up)
    monkeypatch.setattr(system, "installed_runtime", lambda _: None)
    refused = _invoked("up", "--detach", "--home", str(tmp_path))
    [failed] = [each for each in _doctor(tmp_path) if not each["ok"]]

    assert variable in failed["detail"]
    assert wrong in failed["detail"]
    assert example in failed["detail"]
    assert "\n" not in failed["detail"]
    assert explain(refused) == failed["detail"]
    assert not started


def test_a_setting_of_the_shell_that_is_wrong_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARION_API_PORT", "many")
    [failed] = [each for each in _doctor(tmp_path) if not each["ok"]]

    assert "the environment: wrong-api-port: CLARION_API_PORT: Input" in failed["detail"]
    assert "DESTINATIONS" not in failed["detail"]


def test_doctor_reads_the_pipelines_of_the_home(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    text = (IngestSettings().pipelines / "covid19-ct.yaml").read_text()
    (tmp_path / "mine" / "mine.yaml").write_text(text)
    titles = "{CT: {pipeline: mine}}"
    _set(tmp_path, CLARION_PIPELINES=str(tmp_path / "mine"), CLARION_AES=titles)

    found = {each["check"]: each for each in _doctor(tmp_path)}
    assert found["delivery to pacs"]["detail"] == "of mine"


def test_doctor_tells_a_destination_that_a_pipeline_lacks(tmp_path: Path) -> None:
    _set(tmp_path, CLARION_DESTINATIONS=json.dumps({"archive": _ARCHIVE}))

    checks = {each["check"]: each for each in _doctor(tmp_path)}

    lacking = checks["delivery to pacs"]
    assert not lacking["ok"]
    assert "covid19-ct" in lacking["detail"]
    assert "describes archive and no pacs" in lacking["detail"]
    assert "or call archive so" in lacking["remedy"]
    assert "no pipeline" in checks["delivery to archive"]["detail"]


def test_doctor_compares_the_pipelines_of_the_homes_ae_titles(tmp_path: Path) -> None:
    assert {each["check"]: each["ok"] for each in _doctor(tmp_path)}["delivery to pacs"]
    for titles in ("{COVID19: {pipe", "{COVID19: {pipeline: nothing}}"):
        _set(tmp_path, CLARION_AES=titles)
        checks = {each["check"]: each for each in _doctor(tmp_path)}
        assert not checks["pipelines"]["ok"]
        assert "CLARION_AES" in checks["pipelines"]["remedy"]


@pytest.mark.parametrize("words", [("jobs",), ("jobs", "show", "1"), ("models", "list"), ("top",)])
@pytest.mark.parametrize("as_variable", [True, False])
def test_a_home_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], as_variable: bool
) -> None:
    missing = tmp_path / "missing"
    if as_variable:
        monkeypatch.setenv("CLARION_HOME", str(missing))
    named = () if as_variable else ("--home", str(missing))

    refused = _invoked(*words, *named)

    assert explain(refused).startswith(f"no-home: there is no home {missing}")
    assert not missing.exists()


def test_a_home_that_is_named_stands_before_the_variable_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARION_HOME", str(tmp_path / "missing"))
    monkeypatch.setenv("CLARION_RESULTS_URL", "http://127.0.0.1:1")

    for words in (("jobs", "show", "1", "--home", str(tmp_path)), ("jobs",)):
        assert "nothing answers at" in explain(_invoked(*words))


def test_what_is_left_of_a_home_that_is_gone_can_be_ended(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    left = subprocess.Popen(["/bin/sleep", "60"], env={MARK: str(gone)})
    try:
        assert _clarion("down", home=gone).returncode == 0
        assert left.wait(10) != 0
    finally:
        left.kill()


def test_without_a_named_home_none_needs_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLARION_HOME", raising=False)
    monkeypatch.setattr("deploy.embedded.home.REPOSITORY", tmp_path)
    monkeypatch.setenv("CLARION_RESULTS_URL", "http://127.0.0.1:1")

    assert "nothing answers at" in explain(_invoked("jobs"))


def test_doctor_looks_at_a_home_that_is_not_made_yet(tmp_path: Path) -> None:
    found = {each["check"]: each for each in _doctor(tmp_path / "new")}
    assert found["home"]["detail"].endswith("new, not made yet")
    assert not (tmp_path / "new").exists()


def test_up_says_where_no_home_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(system, "installed_runtime", lambda _: None)

    refused = _invoked("up", "--any-ports", "--home", str(tmp_path / "file" / "home"))

    assert isinstance(refused, Failure)
    assert explain(refused).startswith(
        f"home-not-made: no home can be made at {tmp_path}/file/home"
    )


def _set(home: Path, **environment: str) -> None:
    (home / "settings.yaml").write_text(yaml.safe_dump({"environment": environment}))


def _doctor(home: Path) -> list[dict[str, Any]]:
    """What it tells a program, whatever else this machine lacks."""
    told = CliRunner().invoke(build(), ["doctor", "--json", "--home", str(home)])
    found: list[dict[str, Any]] = json.loads(told.stdout)
    return found


def _invoked(*words: str) -> BaseException:
    """What ended the command."""
    error = CliRunner().invoke(build(), words).exception
    assert error is not None
    return error


def _clarion(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clarion", *arguments, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
