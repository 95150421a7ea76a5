"""What is generated from the declarations is committed as they say."""

import tomllib
from pathlib import Path

import pytest
import yaml

from deploy.generate import between, documents
from shared.catalog import ROOT, load_catalog, load_topics
from shared.version import CODE_VERSION


@pytest.mark.parametrize("path", sorted(documents()))
def test_generated_files_are_what_the_declarations_say(path: str) -> None:
    assert (ROOT / path).read_text() == documents()[path], "run python -m deploy.generate"


def test_a_text_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="must stand in the text once"):
        between("no marks", "services", "table")


@pytest.mark.parametrize("name", sorted(load_catalog()))
def test_a_service_declares_kinds_that_exist_and_lives_in_its_folder(name: str) -> None:
    service = load_catalog()[name]
    assert service.service == name
    assert {*service.consumes, *service.publishes} <= set(load_topics().topics)
    for file in ("README.md", "__main__.py", "settings.py", "tests"):
        assert (ROOT / "services" / name / file).exists(), file


@pytest.mark.parametrize("name", [n for n, s in load_catalog().items() if s.operations])
def test_a_stage_service_publishes_what_its_ports_announce(name: str) -> None:
    service, topics = load_catalog()[name], load_topics()
    announced = {
        topics.kind_of(port_type)
        for operation in service.operations.values()
        for port_type in operation.outputs.values()
    } - {None}
    assert announced <= set(service.publishes)


def test_every_service_of_the_compose_file_has_its_own_image() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for name in load_catalog():
        assert compose["services"][name.replace("_", "-")]["build"]["args"] == {"SERVICE": name}


def test_the_package_and_its_code_say_the_same_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == CODE_VERSION


def test_no_lock_names_a_package_host() -> None:
    locks = [*ROOT.glob("requirements*.lock"), *(ROOT / "deploy").rglob("*.lock")]
    assert locks
    assert [path.name for path in locks if "://" in Path(path).read_text()] == []
