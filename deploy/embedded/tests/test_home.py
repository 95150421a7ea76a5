"""A home's settings override defaults, and only what exists."""

from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.home import create_home, open_home
from deploy.embedded.programs import Program, programs, shared_environment
from deploy.embedded.runtime import Runtime
from deploy.embedded.supervisor import write_configuration
from shared.catalog import Service

CATALOG = {
    "ingest": Service(
        service="ingest", summary="", command="python -m services.ingest", ports={"dicom": 11112}
    ),
    "reader": Service(
        service="reader", summary="", command="python -m services.reader", ports={"api": 8081}
    ),
}
ALONE = {"ingest": CATALOG["ingest"].model_copy(update={"single": "whose port is its own"})}
RUNTIME = Runtime(*map(Path, ("java", "jars", "triton", "backends")))


def test_a_home_without_settings_has_the_usual_ports(tmp_path: Path) -> None:
    home = open_home(tmp_path, CATALOG)

    assert home.local("kafka") == "127.0.0.1:9092"
    assert home.local("ingest.dicom") == "127.0.0.1:11112"
    assert home.ports["reader.health"] == home.ports["ingest.health"] + 1


def test_a_port_in_the_settings_wins(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("ports: {ingest.dicom: 10400}\n")

    assert open_home(tmp_path, CATALOG).local("ingest.dicom") == "127.0.0.1:10400"


def test_a_misspelt_port_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("ports: {ingest.dicon: 10400}\n")

    with pytest.raises(ValueError, match=r"ingest\.dicon"):
        open_home(tmp_path, CATALOG)


def test_what_is_chosen_at_the_first_start_stays(tmp_path: Path) -> None:
    first = create_home(tmp_path / "home", CATALOG, any_ports=True)

    assert create_home(tmp_path / "home", CATALOG).ports == first.ports
    assert len(set(first.ports.values())) == len(first.ports)


def test_the_environment_of_the_home_wins(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(
        "environment: {CLARION_STORE: 's3://bucket/payloads', CLARION_QUIET_S: '2'}\n"
    )

    told = shared_environment(open_home(tmp_path, CATALOG))

    assert told["CLARION_STORE"] == "s3://bucket/payloads"
    assert told["CLARION_QUIET_S"] == "2"
    assert told["CLARION_KAFKA"] == "127.0.0.1:9092"


def test_a_home_too_deep_for_a_socket_says_so(tmp_path: Path) -> None:
    home = open_home(tmp_path / ("deep" * 25), CATALOG)

    with pytest.raises(ValueError, match="too long"):
        write_configuration(home, [])


def test_a_replica_has_an_instance_and_ports_of_its_own(tmp_path: Path) -> None:
    first, second, third = _readers(tmp_path, "replicas: {reader: 3}\n")

    assert [first.name, second.name, third.name] == ["reader", "reader-2", "reader-3"]
    assert [_told(each, "INSTANCE") for each in (first, second, third)] == ["1", "2", "3"]
    assert [_told(each, "API_PORT") for each in (first, second, third)] == ["8081", "8181", "8281"]
    assert len({each.port for each in (first, second, third)}) == 3


def test_a_port_of_a_replica_can_be_set(tmp_path: Path) -> None:
    _, second = _readers(tmp_path, "replicas: {reader: 2}\nports: {reader-2.health: 9999}\n")

    assert second.ready_url == "http://127.0.0.1:9999/health"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ("replicas: {ingest: 2}", "single-service"),
        ("replicas: {writer: 2}", "unknown-service"),
        ("replicas: {reader: 0}", "greater than or equal to 1"),
    ],
)
def test_replicas_that_can_not_be_are_refused(tmp_path: Path, settings: str, code: str) -> None:
    (tmp_path / "settings.yaml").write_text(settings)

    with pytest.raises(ValueError, match=code):
        open_home(tmp_path, {**CATALOG, **ALONE})


def _readers(folder: Path, settings: str) -> list[Program]:
    (folder / "settings.yaml").write_text(settings)
    every = programs(open_home(folder, CATALOG), RUNTIME, CATALOG)
    return [each for each in every if each.name.startswith("reader")]


def _told(program: Program, variable: str) -> Any:
    return program.environment[f"CLARION_{variable}"]
