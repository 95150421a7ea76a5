"""Invented patients are sent only through a system that delivers to its own receiving PACS."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from clarion.__main__ import build
from clarion.failure import Failure
from clarion.own_pacs import require_own_pacs
from deploy.embedded.home import Home, open_home
from deploy.embedded.survivors import MARK
from deploy.embedded.tests.processes import running
from shared.catalog import load_catalog

OWN_PORT = 20113
OWN = {"ae_title": "PACS", "host": "127.0.0.1", "port": OWN_PORT}
ARCHIVE = {"ae_title": "ARCHIVE", "host": "10.0.0.5", "port": 104}
SUPERVISORD = "print('up', flush=True); import time; time.sleep(600)  # supervisord"


@pytest.mark.parametrize(
    "destinations",
    [
        None,
        {"pacs": {**OWN, "host": "localhost"}},
        {"pacs": {**OWN, "commitment": True}, "copy": OWN},
    ],
)
def test_the_own_pacs_may_have_invented_patients(
    tmp_path: Path, destinations: Mapping[str, object] | None
) -> None:
    require_own_pacs(_home(tmp_path, destinations))


@pytest.mark.parametrize("elsewhere", [ARCHIVE, {**OWN, "port": 11119}, {**OWN, "host": "pacs"}])
def test_what_else_is_delivered_to_is_named_with_a_way_out(
    tmp_path: Path, elsewhere: Mapping[str, object]
) -> None:
    home = _home(tmp_path, {"pacs": OWN, "archive": elsewhere})
    with pytest.raises(Failure, match=r"^not-own-pacs: .* destination archive .*") as refused:
        require_own_pacs(home)
    address = f"({elsewhere['ae_title']}@{elsewhere['host']}:{elsewhere['port']})"
    assert address in str(refused.value)
    assert "clarion up --detach --any-ports --home FOLDER" in str(refused.value)


@pytest.mark.parametrize(
    ("started", "since"), [(ARCHIVE, None), (ARCHIVE, {"pacs": OWN}), (OWN, {"pacs": ARCHIVE})]
)
def test_what_a_system_was_started_with_counts_while_it_is_up(
    tmp_path: Path, started: Mapping[str, object], since: Mapping[str, object] | None
) -> None:
    home = _home(tmp_path, since)
    with _up(home, {"pacs": started}):
        if started is OWN:
            require_own_pacs(home)
        else:
            with pytest.raises(Failure, match="not-own-pacs"):
                require_own_pacs(home)


def test_load_sends_nothing_where_another_pacs_is_delivered_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = _home(tmp_path, {"pacs": ARCHIVE})
    monkeypatch.setattr("clarion.load.session.phantoms", _never)
    with _up(home, {"pacs": ARCHIVE}):
        done = CliRunner().invoke(build(), ["load", "--home", str(home.folder)])
    assert isinstance(done.exception, Failure)
    assert "not-own-pacs" in str(done.exception)


def test_demo_starts_and_stops_nothing_where_another_pacs_is_delivered_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = _home(tmp_path, {"pacs": ARCHIVE})
    for each in ("installed_runtime", "next_study", "bring_up", "bring_down", "send_files"):
        monkeypatch.setattr(f"clarion.commands.demo.{each}", _never)
    done = CliRunner().invoke(build(), ["demo", "--once", "--home", str(home.folder)])
    assert isinstance(done.exception, Failure)
    assert "not-own-pacs" in str(done.exception)


def _never(*_: object) -> None:
    raise AssertionError("went on")


def _home(folder: Path, destinations: Mapping[str, object] | None) -> Home:
    environment = {"CLARION_DESTINATIONS": json.dumps(destinations)} if destinations else {}
    settings = {"ports": {"pacs": OWN_PORT}, "environment": environment}
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    return open_home(folder, load_catalog())


@contextmanager
def _up(home: Home, destinations: Mapping[str, object]) -> Iterator[None]:
    """A process that is taken for the home's supervisord, which was told of these destinations."""
    told = {MARK: str(home.folder), "CLARION_DESTINATIONS": json.dumps(destinations)}
    log = home.folder / "log"
    with running([sys.executable, "-c", SUPERVISORD], log, told) as process:
        while "up" not in log.read_text():
            assert process.poll() is None
            time.sleep(0.02)
        yield
