"""`clarion models` in a home that is down."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from clarion.__main__ import build
from clarion.bundles import convert
from clarion.models.tests import bundles
from clarion.models.tests.publisher import Publisher
from deploy.modelrepo.tests.models import put


class Operator:
    """Who types the commands, in a terminal of 80 columns."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.folder = folder
        self._runner = CliRunner(env={"CLARION_HOME": str(self.home), "COLUMNS": "80"})

    def types(self, *words: str) -> Result:
        return self._runner.invoke(build(), ["models", *words])

    def reads(self, *words: str) -> Any:
        return json.loads(self.types(*words, "--json").stdout)

    def lungs(self, weights: bytes) -> str:
        """The path of a model of the operator's own, named as a reference model."""
        return str(put(self.folder / "mine" / "lung_seg", weights))


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


def test_a_new_home_has_the_reference_models(operator: Operator) -> None:
    listed = {each["name"]: each for each in operator.reads("list")}
    assert set(listed) >= {"lung_seg", "lesion_seg", "covid_classifier"}
    lungs = listed["lung_seg"]
    assert (lungs["active"], lungs["task"], lungs["source"], lungs["licence"], lungs["triton"]) == (
        *(True, "segmentation", "reference", "Apache-2.0", "down"),
    )


def test_the_table_fits_a_terminal(operator: Operator) -> None:
    operator.types("add", operator.lungs(b"mine"))
    lines = operator.types("list").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == [*("model", "v", "triton", "task", "sha256", "licence", "source")]


def test_an_own_version_is_added_promoted_and_taken_back(operator: Operator) -> None:
    added = operator.types("add", operator.lungs(b"mine")).stdout
    assert "clarion models promote lung_seg 2" in added

    assert operator.types("promote", "lung_seg", "2").stdout.startswith(
        "lung_seg 2 answers, in place of 1 from the next `clarion up`"
    )
    assert operator.reads("rollback", "lung_seg")["version"] == 1


def test_what_a_catalog_offers_comes_with_its_licence_and_card(
    operator: Operator, tmp_path: Path
) -> None:
    publisher = Publisher(tmp_path)
    publisher.publish("1.0", b"theirs")

    added = operator.types("add", "lungs@1.0", "--from", str(publisher.folder), "--as", "lung_seg")

    assert added.stdout.startswith("lung_seg 2 is there")
    listed = next(each for each in operator.reads("list") if each["version"] == 2)
    assert (listed["licence"], listed["publisher_version"]) == ("CC-BY-4.0", "1.0")
    card = operator.home / "models/lung_seg/2/card.md"
    assert card.read_text() == "# lungs 1.0"


def test_what_to_know_of_a_bundle_is_told_beside_the_answer(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "convert", bundles.convert)

    told = operator.types("add", str(bundles.bundle(tmp_path / "theirs")), "--json")

    [added] = json.loads(told.stdout)
    assert (added["name"], told.stderr) == ("theirs", f"{bundles.NOTE}\n")


def test_a_changed_file_is_found(operator: Operator) -> None:
    operator.types("add", operator.lungs(b"mine"))
    (operator.home / "models/lung_seg/2/model.onnx").write_bytes(b"others")

    found = operator.types("verify")

    assert found.exit_code == 1
    assert "lung_seg 2: weights-changed" in found.stdout
    assert "lung_seg 1: as it was added" in found.stdout


def test_a_version_that_answered_and_is_gone_is_missed(operator: Operator) -> None:
    operator.types("add", operator.lungs(b"mine"))
    operator.types("promote", "lung_seg", "2")
    shutil.rmtree(operator.home / "models/lung_seg/2")

    found = operator.types("verify")

    assert found.exit_code == 1
    assert "lung_seg 2: files-missing" in found.stdout
    assert "lung_seg 1: as it was added" in found.stdout


@pytest.mark.parametrize("broken", ["lung_seg/config.pbtxt", "lung_seg/1/config.pbtxt"])
def test_a_configuration_that_can_not_be_read_hides_no_model(
    operator: Operator, broken: str
) -> None:
    listed = {each["name"] for each in operator.reads("list")}
    with (operator.home / "models" / broken).open("a") as file:
        file.write("parameters {")

    assert {each["name"] for each in operator.reads("list")} == listed
    changed = {each["name"]: each["changed"] for each in operator.reads("verify")}
    assert [name for name in sorted(changed) if changed[name]] == ["lung_seg"]


def test_what_is_no_model_is_refused_with_what_would_be_one(
    operator: Operator, tmp_path: Path
) -> None:
    refused = operator.types("add", str(tmp_path))
    assert refused.exit_code == 1
    assert "config.pbtxt beside numbered folders" in str(refused.exception)


def test_a_model_is_unloaded_until_it_is_loaded(operator: Operator) -> None:
    told = operator.types("unload", "lung_seg")
    assert "lung_seg is unloaded from the next `clarion up`" in told.output
    assert "studies will fail at covid19-ct/lung-seg" in told.output
    [lungs] = [each for each in operator.reads("list") if each["name"] == "lung_seg"]
    assert (lungs["active"], lungs["triton"]) == (False, "UNLOADED")

    assert operator.types("load", "lung_seg").stdout.startswith("lung_seg 1 answers")


def test_loading_tells_of_an_edit_that_it_takes_back(operator: Operator) -> None:
    operator.types("list")
    edited = operator.home / "models" / "lesion_seg" / "config.pbtxt"
    edited.write_text(edited.read_text().replace('"kind"', '"sort"'))

    first, second = operator.types("load", "lesion_seg"), operator.types("load", "lesion_seg")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "active-configuration-changed: what Triton read of lesion_seg" in first.stderr
    assert "changed" not in second.output


def test_what_a_triton_elsewhere_can_not_do_is_said(operator: Operator) -> None:
    (operator.home / "settings.yaml").write_text("triton: 127.0.0.1:1\n")
    assert "triton-elsewhere" in str(operator.types("promote", "lung_seg", "2").exception)
    for words in (["list"], ["load", "lung_seg"], ["unload", "lung_seg"]):
        assert "triton-down" in str(operator.types(*words).exception)
