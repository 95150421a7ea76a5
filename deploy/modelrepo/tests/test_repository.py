"""Versions beside each other, and what Triton reads of them."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

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


def test_a_version_that_answered_once_and_is_gone_is_missed(repository: Repository) -> None:
    repository.note("lungs", 2, "promote", "operator", AT)
    shutil.rmtree(repository.version("lungs", 2))

    assert (repository.versions("lungs"), repository.known("lungs")) == ([1], [1, 2])
    assert repository.changed("lungs", 2) == "files-missing"


@pytest.mark.parametrize("chosen_by", ["promotion", "what Triton reads"])
def test_the_number_of_a_version_that_is_gone_is_no_others(
    repository: Repository, tmp_path: Path, chosen_by: str
) -> None:
    if chosen_by == "promotion":
        repository.note("lungs", 2, "promote", "operator", AT)
    else:
        repository.activate("lungs", 2)
    shutil.rmtree(repository.version("lungs", 2))

    assert repository.add("lungs", candidate(tmp_path / "c" / "lungs", b"three"), AT, 2) == 3


def test_what_is_active_and_gone_comes_back_under_its_number(
    repository: Repository, tmp_path: Path
) -> None:
    repository.activate("lungs", 1)
    shutil.rmtree(repository.version("lungs", 1))

    others = candidate(tmp_path / "c" / "lungs", b"one", "0.9")
    same = candidate(tmp_path / "d" / "lungs", b"one", "0.5")
    numbers = [repository.add("lungs", each, AT) for each in (others, same)]

    assert numbers == [3, 1]
    assert repository.changed("lungs", 1) is None


@pytest.mark.parametrize(
    "spoil",
    [lambda said: said + b"parameters {", lambda said: said + b"# L\xf6wen"],
    ids=["no configuration", "no UTF-8"],
)
def test_what_triton_can_not_read_is_an_edit_and_hides_nothing(
    repository: Repository, spoil: Callable[[bytes], bytes]
) -> None:
    repository.note("lungs", 2, "promote", "operator", AT)
    repository.activate("lungs", 2)
    read = repository.folder / "lungs" / "config.pbtxt"
    whole = read.read_bytes()
    read.write_bytes(spoil(whole))

    assert (repository.active("lungs"), repository.chosen("lungs")) == (None, 2)
    assert repository.changed("lungs", 2) == "active-configuration-changed"
    assert repository.changed("lungs", 1) is None

    assert repository.activate("lungs", 2) == spoil(whole)
    assert (read.read_bytes(), repository.changed("lungs", 2)) == (whole, None)


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    memory = Path("/dev/shm")  # noqa: S108
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system is all that is here")
    with TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_models_on_another_disk_are_added_to_and_unloaded(tmp_path: Path, other_disk: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(other_disk)
    repository = Repository(tmp_path / "home" / "models")

    for weights in (b"one", b"two"):
        new = candidate(tmp_path / str(weights) / "lungs", weights)
        repository.add("lungs", new, AT)
    repository.set_aside("lungs")
    unloaded = (repository.is_aside("lungs"), list(other_disk.iterdir()))
    repository.take_back("lungs")

    assert unloaded == (True, [])
    assert (repository.is_aside("lungs"), repository.versions("lungs")) == (False, [1, 2])
    assert [each.name for each in other_disk.iterdir()] == ["lungs"]
    assert repository.changed("lungs", 2) is None


def test_what_is_not_here_is_refused_with_what_is(repository: Repository) -> None:
    with pytest.raises(Refused, match="there are: lungs"):
        repository.versions("lesions")
    with pytest.raises(Refused, match="it has: 1, 2"):
        repository.version("lungs", 3)
