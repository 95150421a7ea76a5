"""Versions beside each other, and what Triton reads of them."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.modelrepo import configuration
from deploy.modelrepo.refused import Refused
from deploy.modelrepo.repository import Repository
from deploy.modelrepo.tests.models import candidate

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """One model of two versions, which differ in weights and threshold."""
    repository = Repository(tmp_path / "home" / "models")
    with repository.changing():
        repository.add("lungs", candidate(tmp_path / "a" / "lungs", b"one", "0.5"), AT)
        repository.add("lungs", candidate(tmp_path / "b" / "lungs", b"two", "0.7"), AT)
    return repository


def _read_by_triton(repository: Repository) -> configuration.ModelConfig:
    return configuration.read(repository.folder / "lungs" / "config.pbtxt")


def test_the_first_version_answers_until_another_is_chosen(repository: Repository) -> None:
    assert (repository.versions("lungs"), repository.active("lungs")) == ([1, 2], 1)

    repository.activate("lungs", 2)

    read = _read_by_triton(repository)
    assert list(read.version_policy.specific.versions) == [2]
    assert configuration.parameters(read) == {
        "kind": "segmentation",
        "threshold": "0.7",
        "sha256": hashlib.sha256(b"two").hexdigest(),
    }


def test_a_version_keeps_card_configuration_and_origin_beside_its_weights(
    repository: Repository,
) -> None:
    version = repository.version("lungs", 2)
    assert {path.name for path in version.iterdir()} == {
        *("model.onnx", "config.pbtxt", "card.md", "origin.yaml")
    }
    origin = repository.origin("lungs", 2)
    assert (origin.source, origin.licence, origin.added_at) == ("the hospital", "CC-BY-4.0", AT)


def test_the_same_version_is_known_again_however_its_configuration_is_laid_out(
    repository: Repository, tmp_path: Path
) -> None:
    again = candidate(tmp_path / "c" / "other_name", b"two", "0.7")
    with again.config.open("a") as file:
        file.write('# a remark\nparameters { key: "sha256" value: { string_value: "0" } }\n')

    assert repository.holding("lungs", again.key) == 2


def test_other_parameters_make_another_version(repository: Repository, tmp_path: Path) -> None:
    other = candidate(tmp_path / "c" / "lungs", b"two", "0.9")
    assert repository.holding("lungs", other.key) is None


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("2/model.onnx", "weights-changed"),
        ("2/config.pbtxt", "configuration-changed"),
        ("config.pbtxt", "active-configuration-changed"),
    ],
)
def test_a_change_is_found(repository: Repository, file: str, code: str) -> None:
    repository.activate("lungs", 2)
    assert repository.changed("lungs", 2) is None

    with (repository.folder / "lungs" / file).open("a") as changed:
        changed.write('parameters { key: "threshold" value: { string_value: "0.1" } }\n')

    assert repository.changed("lungs", 2) == code
    assert repository.changed("lungs", 1) is None


def test_weights_that_are_gone_are_missed(repository: Repository) -> None:
    (repository.version("lungs", 2) / "model.onnx").unlink()
    assert repository.changed("lungs", 2) == "files-missing"


def test_what_is_not_here_is_refused_with_what_is(repository: Repository) -> None:
    with pytest.raises(Refused, match="there are: lungs"):
        repository.versions("lesions")
    with pytest.raises(Refused, match="it has: 1, 2"):
        repository.version("lungs", 3)
