"""Reference models come into a home and overrule nobody there."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.modelrepo.repository import Repository
from deploy.modelrepo.seeding import Seeded, seed
from deploy.modelrepo.tests.models import candidate, put

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """What comes with Clarion: one model."""
    put(tmp_path / "checkout" / "lungs", b"reference")
    return tmp_path / "checkout"


@pytest.fixture
def repository(tmp_path: Path, reference: Path) -> Repository:
    """A home that was up once."""
    repository = Repository(tmp_path / "home" / "models")
    assert seed(repository, reference, AT) == [Seeded("lungs", 1, True)]
    return repository


def test_what_is_there_is_not_brought_again(repository: Repository, reference: Path) -> None:
    assert seed(repository, reference, AT) == []


def test_what_is_gone_is_brought_again_under_its_number(
    repository: Repository, reference: Path
) -> None:
    shutil.rmtree(repository.version("lungs", 1))
    assert seed(repository, reference, AT) == [Seeded("lungs", 1, True)]
    assert repository.changed("lungs", 1) is None


def test_a_newer_reference_answers_where_nobody_chose(
    repository: Repository, reference: Path
) -> None:
    put(reference / "lungs", b"trained longer")

    assert seed(repository, reference, AT) == [Seeded("lungs", 2, True)]

    assert repository.active("lungs") == 2
    assert (repository.version("lungs", 1) / "model.onnx").read_bytes() == b"reference"


def test_a_choice_of_the_operator_stays_and_the_newer_reference_waits(
    repository: Repository, reference: Path, tmp_path: Path
) -> None:
    own = repository.add("lungs", candidate(tmp_path / "own" / "lungs", b"the hospital's"), AT)
    repository.activate("lungs", own)
    repository.note("lungs", own, "promote", "operator", AT)
    put(reference / "lungs", b"trained longer")

    assert seed(repository, reference, AT) == [Seeded("lungs", 3, False)]

    assert (repository.active("lungs"), repository.versions("lungs")) == (own, [1, 2, 3])


def test_an_unloaded_model_stays_unloaded_and_the_newer_reference_waits(
    repository: Repository, reference: Path
) -> None:
    repository.set_aside("lungs")
    put(reference / "lungs", b"trained longer")

    assert seed(repository, reference, AT) == [Seeded("lungs", 2, False)]

    assert (repository.active("lungs"), repository.is_aside("lungs")) == (1, True)


def test_a_card_that_knows_more_is_renewed(repository: Repository, reference: Path) -> None:
    (reference / "lungs" / "card.md").write_text("# measured again")
    assert seed(repository, reference, AT) == []
    assert (repository.version("lungs", 1) / "card.md").read_text() == "# measured again"
