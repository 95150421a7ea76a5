"""The compose file and the Dockerfile are what their specifications allow, judged by others."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.catalog import ROOT, load_catalog
from shared.settings import Settings

_TOOLS = Path(sys.executable).parent
_COMPOSE = ROOT / "docker-compose.yml"
_DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
_DATA = "/var/lib/clarion"


def test_the_compose_file_is_what_the_compose_specification_allows() -> None:
    assert _against_the_specification(_COMPOSE).returncode == 0


def test_a_misspelt_key_of_a_service_is_found(tmp_path: Path) -> None:
    misspelt = tmp_path / "docker-compose.yml"
    misspelt.write_text(_COMPOSE.read_text().replace("depends_on:", "depend_on:"))

    judged = _against_the_specification(misspelt)

    assert judged.returncode == 1
    assert "depend_on" in judged.stdout


def test_one_broken_model_neither_ends_triton_nor_keeps_it_from_being_ready() -> None:
    compose = yaml.safe_load(_COMPOSE.read_text())
    flags = set(compose["services"]["triton"]["command"])
    assert {"--exit-on-error=false", "--strict-readiness=false"} <= flags


def test_what_the_compose_file_refers_to_exists() -> None:
    compose = yaml.safe_load(_COMPOSE.read_text())
    services: dict[str, Any] = compose["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= set(services), name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or (ROOT / source).is_dir(), volume
        if "build" in service:
            assert (ROOT / service["build"]["dockerfile"]).is_file(), name


def test_who_waits_for_health_waits_for_one_that_tells_it() -> None:
    services = yaml.safe_load(_COMPOSE.read_text())["services"]
    awaited = {
        name
        for service in services.values()
        for name, wait in service.get("depends_on", {}).items()
        if wait["condition"] == "service_healthy"
    }
    assert [name for name in sorted(awaited) if "healthcheck" not in services[name]] == []


def test_nothing_is_published_to_other_hosts() -> None:
    services = yaml.safe_load(_COMPOSE.read_text())["services"]
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", sorted(load_catalog()))
def test_what_a_service_keeps_lies_on_the_volume_that_outlives_it(name: str) -> None:
    container = yaml.safe_load(_COMPOSE.read_text())["services"][name.replace("_", "-")]
    told: dict[str, str] = container["environment"]
    paths = {key: told[key].removeprefix("file:") for key in told if _is_path(told[key])}
    elsewhere = {key: path for key, path in paths.items() if not path.startswith(f"{_DATA}/")}

    assert f"data:{_DATA}" in container["volumes"]
    assert elsewhere == {}
    assert _kept_in_the_home(name) - set(told) == set()


def _is_path(value: str) -> bool:
    return value.startswith(("/", ".", "file:", "sqlite:"))


def _kept_in_the_home(name: str) -> set[str]:
    """The variables of the settings that lie in `.home`, in the working folder, by default."""
    found = vars(import_module(f"services.{name}.settings")).values()
    models = [made for made in found if isinstance(made, type) and issubclass(made, Settings)]
    return {
        f"CLARION_{field.upper()}"
        for model in models
        for field, described in model.model_fields.items()
        if ".home" in str(described.default)
    }


def test_the_dockerfile_has_no_fault_that_hadolint_knows() -> None:
    judged = _linted(_DOCKERFILE)
    assert judged.returncode == 0, judged.stdout


def test_hadolint_finds_a_fault(tmp_path: Path) -> None:
    faulty = tmp_path / "Dockerfile"
    faulty.write_text("FROM debian\nRUN cd /tmp\n")
    assert _linted(faulty).returncode == 1


def _against_the_specification(path: Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [
        _TOOLS / "check-jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        path,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _linted(path: Path) -> subprocess.CompletedProcess[str]:
    if not (_TOOLS / "hadolint").exists():
        pytest.skip("hadolint has no wheel for this platform")
    command: list[str | Path] = [_TOOLS / "hadolint", "--no-color", path]
    return subprocess.run(command, capture_output=True, text=True, check=False)
