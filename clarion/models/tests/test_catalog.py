"""Catalogs in a folder and at an address, and what is refused of them."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml

from clarion.models.catalog import Shelf, chosen, require_same
from clarion.models.packages import opened
from clarion.models.tests.publisher import Publisher
from deploy.modelrepo.candidates import candidates
from deploy.modelrepo.refused import Refused
from deploy.modelrepo.repository import Repository

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    publisher = Publisher(tmp_path)
    publisher.publish("1.0", b"first")
    publisher.publish("2.0", b"second")
    return publisher


@pytest.fixture(params=["folder", "address"])
def shelf(request: pytest.FixtureRequest, publisher: Publisher) -> Shelf:
    client = httpx.Client(transport=httpx.MockTransport(publisher.answer))
    locations = {"folder": str(publisher.folder), "address": "https://models.example/models/"}
    return Shelf(locations[request.param], client)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def test_a_model_comes_with_its_card_and_its_origin(shelf: Shelf, scratch: Path) -> None:
    entry = chosen(shelf.read(scratch), "lungs")
    file, card = shelf.fetch(entry, scratch)
    package = opened(file, scratch, None)
    (version,) = candidates(package.folder, entry.origin).values()

    assert (package.name, entry.version) == ("lungs", "2.0")
    assert (version.weights / "model.onnx").read_bytes() == b"second"
    assert card.read_text() == "# lungs 2.0"
    assert version.source.licence == "CC-BY-4.0"


def test_a_card_of_the_same_name_is_another_file(
    shelf: Shelf, publisher: Publisher, scratch: Path
) -> None:
    publisher.rename("lungs-2.0.zip", "files/lungs")
    publisher.rename("card.md", "cards/lungs")

    file, card = shelf.fetch(chosen(shelf.read(scratch), "lungs"), scratch)

    assert opened(file, scratch, None).name == "lungs"
    assert card.read_text() == "# lungs 2.0"


def test_a_version_is_chosen_by_name(shelf: Shelf, scratch: Path) -> None:
    assert chosen(shelf.read(scratch), "lungs@1.0").file == "lungs-1.0.zip"
    with pytest.raises(Refused, match=r"it offers: lungs@1\.0, lungs@2\.0"):
        chosen(shelf.read(scratch), "lungs@3.0")


def test_a_file_of_another_digest_is_refused(
    shelf: Shelf, publisher: Publisher, scratch: Path
) -> None:
    entry = chosen(shelf.read(scratch), "lungs")
    (publisher.folder / entry.file).write_bytes(b"something else")
    with pytest.raises(Refused, match="digest-mismatch"):
        shelf.fetch(entry, scratch)


def test_a_changed_file_under_an_old_version_is_refused(
    shelf: Shelf, publisher: Publisher, scratch: Path, tmp_path: Path
) -> None:
    repository = Repository(tmp_path / "home" / "models")
    entry = chosen(shelf.read(scratch), "lungs@1.0")
    package = opened(shelf.fetch(entry, scratch)[0], scratch, None)
    with repository.changing():
        repository.add("lungs", candidates(package.folder, entry.origin)[1], AT)
    require_same(repository, "lungs", entry)

    publisher.publish("1.0", b"others")

    with pytest.raises(Refused, match="version-redefined"):
        require_same(repository, "lungs", chosen(shelf.read(scratch), "lungs@1.0"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda entry: entry | {"sha256": "short"},
        lambda entry: entry | {"lisence": "CC"},
        lambda entry: {key: entry[key] for key in entry if key != "licence"},
    ],
)
def test_a_catalog_that_says_too_little_is_refused(
    spoil: Callable[[dict[str, str]], dict[str, str]], publisher: Publisher, scratch: Path
) -> None:
    path = publisher.folder / "catalog.yaml"
    entries = yaml.safe_load(path.read_text())["models"]
    path.write_text(yaml.safe_dump({"models": [spoil(each) for each in entries]}))
    with httpx.Client() as client, pytest.raises(Refused, match="bad-catalog"):
        Shelf(str(publisher.folder), client).read(scratch)


@pytest.mark.parametrize("text", ["models: [", "models: " + 3000 * "["])
def test_what_is_no_yaml_is_refused(text: str, publisher: Publisher, scratch: Path) -> None:
    (publisher.folder / "catalog.yaml").write_text(text)
    with httpx.Client() as client, pytest.raises(Refused, match="bad-catalog"):
        Shelf(str(publisher.folder), client).read(scratch)


def test_a_catalog_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with httpx.Client() as client, pytest.raises(Refused, match="catalog-unreachable"):
        Shelf(str(tmp_path / "nowhere"), client).read(tmp_path)
