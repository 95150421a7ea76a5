"""A command acts on the system of its own home, and never on another that has the same ports."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from clarion.__main__ import build
from clarion.commands import system
from clarion.failure import Failure
from clarion.home_settings import unknown_names
from clarion.tests.results_api import ANSWERS, Answers
from clarion.tests.results_api import JOB as FOUND
from deploy.embedded.home import Home, open_home
from deploy.embedded.system import NotStarted, require_free_ports
from shared.catalog import load_catalog

JOB = "1111"
URLS = ("CLARION_RESULTS_URL", "CLARION_CONSOLE_URL", "CLARION_STATISTICS_URL")


class Another(Answers):
    """What another system's APIs answer; `asked` are the paths that were asked for."""

    asked: list[str] = []

    def log_request(self, *_: object) -> None:
        self.asked.append(self.path)


@pytest.fixture
def another(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of another system."""
    monkeypatch.setattr(Another, "asked", [])
    for name in URLS:
        monkeypatch.delenv(name, raising=False)
    with HTTPServer(("127.0.0.1", 0), Another) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def home(another: int, tmp_path: Path) -> Path:
    """A home that is down, and at whose ports the other system answers."""
    names = ("results.api", "console.http", "statistics.statistics", "ingest.dicom")
    ports = dict.fromkeys((*names, "reader.health"), another)
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump({"ports": ports}))
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("jobs",),
        ("jobs", "show", JOB),
        ("jobs", "rerun", JOB, "--fresh"),
        ("jobs", "cancel", JOB),
        ("jobs", "lane", JOB, "stat"),
        ("failures", "list"),
        ("failures", "discard", "--all"),
        ("failures", "resume", "reader"),
        ("failures", "resume"),
        ("trace", JOB),
        ("top", "--once"),
        ("prune",),
        ("load",),
        ("send", "."),
    ],
)
@pytest.mark.parametrize("as_variable", [True, False])
def test_of_a_home_that_is_down_nobody_else_is_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], as_variable: bool
) -> None:
    monkeypatch.chdir(home)
    if as_variable:
        monkeypatch.setenv("CLARION_HOME", str(home))
    refused = _invoked(*words, *(() if as_variable else ("--home", str(home)))).exception
    assert isinstance(refused, Failure)
    assert str(refused).startswith(f"not-up: the system of {home} is down; `clarion up` starts it")
    assert Another.asked == []


def test_the_usual_home_is_no_other_system_either(
    another: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLARION_HOME", raising=False)
    home.rename(usual := home.with_name(".home"))
    monkeypatch.setattr("deploy.embedded.home.REPOSITORY", usual.parent)
    assert str(_invoked("jobs", "rerun", JOB, "--fresh").exception).startswith("not-up")
    assert Another.asked == []


def test_a_home_that_is_up_is_asked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clarion.homes.is_running", lambda asked: asked.folder == home)
    for words in (("jobs", "rerun", JOB, "--fresh"), ("failures", "resume", "reader")):
        assert _invoked(*words, "--home", str(home)).exit_code == 0


def test_of_another_user_s_home_it_is_not_known_whether_it_is_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: path != home / "run")
    (home / "run").mkdir()
    assert _invoked("jobs", "--home", str(home)).exit_code == 0


def test_an_address_in_the_environment_is_asked_whether_the_home_is_up_or_not(
    another: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARION_RESULTS_URL", f"http://127.0.0.1:{another}")
    assert _invoked("jobs", "--home", str(home)).exit_code == 0
    monkeypatch.setitem(ANSWERS, f"/api/traces/{FOUND['trace_id']}", {})
    assert _invoked("trace", JOB, "--json", "--home", str(home)).stdout == "{}\n"


def test_files_can_be_sent_to_a_system_that_is_named(home: Path) -> None:
    done = _invoked("send", str(home), "--to", "CT@127.0.0.1:1", "--home", str(home))
    assert "nothing to send" in str(done.exception)


def test_up_makes_no_home_where_the_usual_ports_are_in_use(
    tmp_path: Path, started: list[Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.embedded.system.can_bind", lambda port: port != 8081)
    home = tmp_path / "second"
    refused = str(_invoked("up", "--detach", "--home", str(home)).exception)
    assert "in use by another program: results.api 8081;" in refused
    assert f"`clarion up --any-ports --home {home}`" in refused
    assert not home.exists()
    assert _invoked("up", "--detach", "--any-ports", "--home", str(home)).exit_code == 0
    assert [each.folder for each in started] == [home]


def test_ports_in_use_are_told_with_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.embedded.system.can_bind", lambda port: port != 8000)
    with pytest.raises(NotStarted) as refused:
        require_free_ports(open_home(home, load_catalog()))
    assert "in use by another program: triton-http 8000; stop it, or set" in str(refused.value)
    assert str(home / "settings.yaml") in str(refused.value)
    assert "a new home: `clarion up --any-ports --home FOLDER`" in str(refused.value)


def test_up_says_that_a_home_that_is_there_keeps_its_ports(
    tmp_path: Path, started: list[Home]
) -> None:
    (tmp_path / "settings.yaml").write_text("ports: {}\n")
    told = _invoked("up", "--detach", "--any-ports", "--home", str(tmp_path)).stderr
    assert "this one keeps those of" in told
    assert _invoked("up", "--detach", "--home", str(tmp_path)).stderr == ""
    assert [each.ports["results.api"] for each in started] == [8081, 8081]


def test_two_parts_with_one_port_are_told_before_anything_starts(
    tmp_path: Path, started: list[Home]
) -> None:
    (tmp_path / "settings.yaml").write_text("ports: {console.http: 8081}\n")
    refused = str(_invoked("up", "--detach", "--home", str(tmp_path)).exception)
    [failed] = [each for each in _doctor(tmp_path) if each["check"] == "settings"]
    assert "same-port: console.http and results.api have 8081" in refused
    assert (failed["ok"], failed["detail"]) == (False, refused)
    assert not started


def test_the_port_of_an_embedded_triton_is_free_where_another_is_asked(
    tmp_path: Path, started: list[Home]
) -> None:
    settings = {"triton": "10.0.0.7:8001", "ports": {"console.http": 8000}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    assert _invoked("up", "--detach", "--home", str(tmp_path)).exit_code == 0
    assert [each.folder for each in started] == [tmp_path]


def test_a_name_that_no_setting_has_is_told_with_the_nearest(
    tmp_path: Path, started: list[Home]
) -> None:
    names = ("CLARION_AE", "CLARION_QUIET_S", "CLARION_PACS_HOST", "CLARION_RESULTS_URL", "OTHER")
    environment = dict.fromkeys(names, "1")
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump({"environment": environment}))
    told = "unknown-setting: no setting has this name; the nearest is CLARION_AES"
    up = _invoked("up", "--detach", "--home", str(tmp_path))
    assert up.stderr == f"{tmp_path / 'settings.yaml'}: CLARION_AE: {told}\n"
    assert len(started) == 1
    warnings = [each for each in _doctor(tmp_path) if each["warning"]]
    assert [(each["check"], each["detail"]) for each in warnings] == [("CLARION_AE", told)]
    shown = _invoked("doctor", "--home", str(tmp_path)).stdout
    assert "warns   CLARION_AE " in shown


def test_of_a_service_whose_settings_are_not_known_no_name_is_doubted(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("environment: {CLARION_AE: x}\n")
    catalog = load_catalog()
    home = open_home(tmp_path, catalog)
    assert unknown_names(home, catalog)
    foreign = catalog["reader"].model_copy(update={"service": "foreign"})
    assert unknown_names(home, {**catalog, "foreign": foreign}) == {}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Home]:
    """The homes that `up` would have started."""
    homes: list[Home] = []

    async def bring_up(home: Home, *_: object) -> None:
        homes.append(home)

    monkeypatch.setattr(system, "bring_up", bring_up)
    monkeypatch.setattr(system, "installed_runtime", lambda _: None)
    return homes


def _doctor(home: Path) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(
        _invoked("doctor", "--json", "--home", str(home)).stdout
    )
    return told


def _invoked(*words: str) -> Result:
    return CliRunner().invoke(build(), words)
