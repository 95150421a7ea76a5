"""Promotion, rollback, loading and adding, against a server in memory."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clarion.models import promotion
from clarion.models.fake import FakeServer
from clarion.models.promotion import Added, Chosen, Switched
from deploy.modelrepo.refused import Refused
from deploy.modelrepo.repository import Repository
from deploy.modelrepo.tests.models import candidate

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Home:
    """A repository whose model `lungs` has three versions, the first of which answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = Repository(folder / "home" / "models")
        self.server = FakeServer(self.repository)
        for number in (1, 2, 3):
            self.add("lungs", f"weights {number}")

    def add(self, name: str, weights: str) -> Added:
        version = candidate(self.folder / weights / name, weights.encode())
        return promotion.add(self.repository, self.server, name, version, AT)

    def promote(self, number: int) -> Chosen:
        return promotion.promote(self.repository, self.server, "lungs", number, AT)

    def rollback(self) -> Chosen:
        return promotion.rollback(self.repository, self.server, "lungs", AT)

    def load(self) -> Switched:
        return promotion.load(self.repository, self.server, "lungs")

    def unload(self) -> Switched:
        return promotion.unload(self.repository, self.server, "lungs")

    @property
    def answering(self) -> int | None:
        serving = self.server.serving("lungs")
        return serving.version if serving else None

    def add_model(self, name: str, weights: dict[int, str], answering: int) -> list[Added]:
        """A folder of versions, each with its weights; none where those are empty."""
        versions = {
            number: candidate(self.folder / "offered" / str(number) / name, each.encode())
            for number, each in weights.items()
        }
        for number, each in weights.items():
            if not each:
                (versions[number].weights / "model.onnx").unlink()
        return promotion.add_all(self.repository, self.server, name, versions, answering, AT)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_adding_does_not_change_which_version_answers(home: Home) -> None:
    assert home.add("lungs", "weights 4") == Added("lungs", 4, True, False, False)
    assert home.answering == 1


def test_the_same_version_is_not_added_twice(home: Home) -> None:
    assert home.add("lungs", "weights 2") == Added("lungs", 2, False, False, False)


def test_a_new_model_answers_at_once(home: Home) -> None:
    assert home.add("lesions", "weights") == Added("lesions", 1, True, True, True)


def test_a_new_model_that_can_not_be_loaded_is_not_kept(home: Home) -> None:
    home.server.broken.add(("lesions", 1))
    with pytest.raises(Refused, match="triton-refused"):
        home.add("lesions", "weights")
    assert home.repository.names() == ["lungs"]


def test_of_a_new_model_the_version_answers_that_did_where_it_came_from(home: Home) -> None:
    weights = {3: "old", 7: "chosen", 8: "newest"}

    assert home.add_model("lesions", weights, answering=7) == [
        Added("lesions", 1, True, False, False),
        Added("lesions", 2, True, True, True),
        Added("lesions", 3, True, False, False),
    ]

    chosen = home.repository.version("lesions", 2) / "model.onnx"
    assert (chosen.read_text(), home.repository.active("lesions")) == ("chosen", 2)


def test_of_a_model_that_is_there_more_versions_wait_in_their_order(home: Home) -> None:
    added = home.add_model("lungs", {1: "weights 4", 2: "weights 5"}, answering=2)

    assert [(each.version, each.answers) for each in added] == [(4, False), (5, False)]
    assert home.answering == 1


@pytest.mark.parametrize("name", ["lungs", "lesions"])
def test_where_one_version_is_unusable_none_is_added(home: Home, name: str) -> None:
    with pytest.raises(Refused, match="no-weights"):
        home.add_model(name, {1: "whole", 2: ""}, answering=1)

    assert (home.repository.names(), home.repository.versions("lungs")) == (["lungs"], [1, 2, 3])


def test_a_promoted_version_answers(home: Home) -> None:
    assert home.promote(2) == Chosen("lungs", 2, 1, True)
    assert home.answering == 2


def test_each_rollback_takes_one_promotion_back(home: Home) -> None:
    home.promote(3)
    home.promote(2)
    home.promote(2)

    assert [home.rollback().version, home.rollback().version] == [3, 1]

    with pytest.raises(Refused, match="nothing-before"):
        home.rollback()
    assert home.answering == 1


def test_a_version_that_can_not_be_loaded_leaves_the_one_before(home: Home) -> None:
    home.server.broken.add(("lungs", 2))

    with pytest.raises(Refused, match="version 1 goes on answering"):
        home.promote(2)

    assert (home.answering, home.repository.active("lungs")) == (1, 1)
    with pytest.raises(Refused, match="nothing-before"):
        home.rollback()


def test_weights_that_changed_are_not_promoted(home: Home) -> None:
    (home.repository.version("lungs", 2) / "model.onnx").write_bytes(b"others")
    with pytest.raises(Refused, match="weights-changed"):
        home.promote(2)
    assert home.answering == 1


def test_weights_that_changed_are_not_loaded(home: Home) -> None:
    (home.repository.version("lungs", 1) / "model.onnx").write_bytes(b"others")
    with pytest.raises(Refused, match="weights-changed"):
        home.load()


@pytest.mark.parametrize("unloaded", [False, True])
@pytest.mark.parametrize(
    ("said", "edited"), [('"0.5"', '"0.9"'), ("versions: 2", ""), ("parameters {", "parameters [")]
)
def test_what_was_edited_by_hand_is_not_loaded(
    home: Home, said: str, edited: str, unloaded: bool
) -> None:
    home.promote(2)
    read_by_triton = home.repository.folder / "lungs" / "config.pbtxt"
    text = read_by_triton.read_text()
    read_by_triton.write_text(text.replace(said, edited))
    assert read_by_triton.read_text() != text
    if unloaded:
        home.unload()

    assert home.load() == Switched("lungs", 2, True, renewed=True)

    serving = home.server.serving("lungs")
    assert serving
    assert (serving.version, serving.parameters["threshold"]) == (2, "0.5")
    assert read_by_triton.read_text() == text
    assert home.load() == Switched("lungs", 2, True)


def test_a_promotion_writes_anew_what_triton_could_not_read(home: Home) -> None:
    read_by_triton = home.repository.folder / "lungs" / "config.pbtxt"
    read_by_triton.write_text("parameters {")

    assert home.promote(2) == Chosen("lungs", 2, None, True)
    assert home.answering == 2


def test_what_was_chosen_and_is_gone_is_not_loaded(home: Home) -> None:
    home.promote(2)
    shutil.rmtree(home.repository.version("lungs", 2))

    with pytest.raises(Refused, match="files-missing"):
        home.load()
    assert home.add("lungs", "weights 4").version == 4


def test_while_the_server_is_down_a_promotion_waits_for_its_start(home: Home) -> None:
    home.server.down = True
    assert home.promote(2) == Chosen("lungs", 2, 1, False)

    home.server.down = False
    home.server.load("lungs")

    assert home.answering == 2


def test_an_unloaded_model_is_not_there_when_the_server_starts_again(home: Home) -> None:
    assert home.unload() == Switched("lungs", None, True)

    assert home.answering is None
    assert list(home.repository.folder.glob("*/config.pbtxt")) == []
    assert (home.repository.names(), home.repository.active("lungs")) == (["lungs"], 1)


def test_a_model_is_loaded_again_as_it_was(home: Home) -> None:
    home.promote(2)
    home.unload()

    assert home.load() == Switched("lungs", 2, True)

    assert home.answering == 2
    assert home.rollback().version == 1


def test_a_model_that_can_not_be_loaded_again_stays_unloaded(home: Home) -> None:
    home.unload()
    home.server.broken.add(("lungs", 1))
    with pytest.raises(Refused, match="triton-refused"):
        home.load()
    assert home.repository.is_aside("lungs")


def test_while_the_server_is_down_a_model_is_unloaded_for_its_start(home: Home) -> None:
    home.server.down = True
    assert (home.unload(), home.load()) == (
        Switched("lungs", None, False),
        Switched("lungs", 1, False),
    )


def test_an_unloaded_model_takes_versions_and_no_choice(home: Home) -> None:
    home.unload()
    assert home.add("lungs", "weights 4") == Added("lungs", 4, True, False, False)
    with pytest.raises(Refused, match="models load lungs"):
        home.promote(4)


def test_of_an_unloaded_model_no_version_answers_that_is_added_again(home: Home) -> None:
    home.unload()
    assert home.add("lungs", "weights 1") == Added("lungs", 1, False, False, False)
