"""Which AE titles a home serves is told before anybody calls another."""

import json
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner, Result

from clarion.__main__ import build
from clarion.commands.send import own_target
from clarion.commands.system import show_addresses
from clarion.failure import Failure, explain
from clarion.load.routes import routes
from clarion.storage import Target
from deploy.embedded.home import open_home
from deploy.embedded.survivors import MARK
from deploy.embedded.tests.processes import running
from shared.catalog import load_catalog

LOAD = "{LOAD: {pipeline: covid19-ct, lane: bulk}}"
NIGHT = "{COVID19: {pipeline: covid19-ct}, NIGHT: {pipeline: covid19-ct, lane: bulk}}"
UNKNOWN = "{NIGHT: {pipeline: covid19-cd}}"
ARCHIVE = {"ae_title": "ARCHIVE", "host": "127.0.0.1", "port": 11199}
SUPERVISORD = "print('up', flush=True); import time; time.sleep(600)  # supervisord"


def test_up_tells_the_titles_that_are_served_and_where_objects_go(tmp_path: Path) -> None:
    destinations = {"archive": ARCHIVE, "pacs": ARCHIVE | {"ae_title": "PACS", "port": 11113}}
    _set(tmp_path, CLARION_AES=NIGHT, CLARION_DESTINATIONS=json.dumps(destinations))
    assert _shown(tmp_path) == [
        "console      http://127.0.0.1:8080/",
        "receives at  COVID19@127.0.0.1:11112",
        "receives at  NIGHT@127.0.0.1:11112  lane bulk",
        "delivers to  ARCHIVE@127.0.0.1:11199  archive",
        "delivers to  PACS@127.0.0.1:11113  the home's own receiving PACS",
        f"home         {tmp_path}",
    ]


def test_up_tells_no_title_that_is_not_served(tmp_path: Path) -> None:
    _set(tmp_path, CLARION_AES=LOAD, CLARION_DESTINATIONS=json.dumps({"pacs": ARCHIVE}))
    told = " ".join(_shown(tmp_path))
    assert "LOAD@" in told
    assert "COVID19" not in told
    assert "11113" not in told


def test_doctor_tells_each_title_and_that_the_usual_one_is_not_served(tmp_path: Path) -> None:
    assert _titles(tmp_path) == {"AE title COVID19": "covid19-ct, routine"}
    _set(tmp_path, CLARION_AES=LOAD)
    assert _titles(tmp_path) == {"AE title LOAD": "covid19-ct, bulk"}
    [warned] = [each for each in _doctor(tmp_path) if each["check"] == "AE title COVID19"]
    assert (warned["ok"], warned["warning"]) == (True, True)
    assert "not served" in warned["detail"]
    assert "CLARION_AES" in warned["remedy"]


def test_a_pipeline_that_is_not_there_is_told_with_its_title_and_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clarion.commands.system.installed_runtime", lambda _: None)
    monkeypatch.setattr("clarion.commands.system.bring_up", _never)
    _set(tmp_path, CLARION_AES=UNKNOWN)
    [failed] = [each for each in _doctor(tmp_path) if each["check"] == "pipelines"]
    refused = _invoked("up", "--detach", "--home", str(tmp_path)).exception
    assert refused is not None
    for told in (failed["detail"], explain(refused)):
        assert "unknown-pipeline: CLARION_AES: NIGHT names the pipeline covid19-cd" in told
        assert "there is covid19-ct in" in told


def test_send_calls_the_usual_title_where_it_is_served(tmp_path: Path) -> None:
    _set(tmp_path, CLARION_AES=NIGHT)
    assert own_target(tmp_path) == Target("COVID19", "127.0.0.1", 11112)


def test_demo_starts_nothing_where_the_usual_title_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clarion.commands.demo.installed_runtime", _never)
    _set(tmp_path, CLARION_AES=LOAD)
    _assert_told(_invoked("demo", "--home", str(tmp_path)))


def test_send_goes_by_what_the_system_was_started_with(tmp_path: Path) -> None:
    log = tmp_path / "log"
    started = {MARK: str(tmp_path), "CLARION_AES": LOAD}
    _set(tmp_path)
    with running([sys.executable, "-c", SUPERVISORD], log, started) as process:
        while "up" not in log.read_text():
            assert process.poll() is None
            time.sleep(0.02)
        _assert_told(_invoked("send", str(tmp_path), "--home", str(tmp_path)))


def _assert_told(done: Result) -> None:
    """That nothing was sent, and what is served in place of COVID19."""
    assert isinstance(done.exception, Failure)
    assert "nothing was sent" in str(done.exception)
    assert "COVID19 but LOAD (covid19-ct, bulk)" in str(done.exception)
    assert "--to LOAD@127.0.0.1:11112" in str(done.exception)


def _never(*_: object) -> None:
    raise AssertionError("went on")


def _set(folder: Path, **environment: str) -> None:
    (folder / "settings.yaml").write_text(yaml.safe_dump({"environment": environment}))


def _shown(folder: Path) -> list[str]:
    paper = StringIO()
    show_addresses(open_home(folder, load_catalog()), Console(file=paper, width=80))
    return paper.getvalue().splitlines()


def _titles(folder: Path) -> dict[str, str]:
    """Those that are served."""
    return {
        each["check"]: each["detail"]
        for each in _doctor(folder)
        if "AE title" in each["check"] and not each["warning"]
    }


def _doctor(folder: Path) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(
        _invoked("doctor", "--json", "--home", str(folder)).stdout
    )
    return told


def _invoked(*words: str) -> Result:
    return CliRunner().invoke(build(), words)


def test_pipelines_by_a_relative_path_are_the_repositorys_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(tmp_path, CLARION_PIPELINES="deploy/pipelines")
    monkeypatch.chdir(tmp_path)
    assert list(routes(open_home(tmp_path, load_catalog()))) == ["COVID19"]
