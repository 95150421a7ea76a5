"""What is measured is exactly the version that was asked for."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from shutil import copy, copytree

import pytest

from deploy.modelrepo import configuration
from deploy.modelrepo.candidates import candidates
from deploy.modelrepo.origin import Source
from deploy.modelrepo.repository import Repository
from training.config import MODELS, parameters_in, read_parameters
from training.evaluation.chosen import choose
from training.evaluation.problem import BadInput
from training.inference import version_in

LUNGS, LESIONS = MODELS / "lung_seg", MODELS / "lesion_seg"


def a_home(folder: Path) -> Path:
    """`lung_seg` 1, which answers, and as version 2 another network with its configuration."""
    repository = Repository(folder / "models")
    with repository.changing():
        for model in (LUNGS, LESIONS):
            for candidate in candidates(model, Source(source="test")).values():
                repository.add("lung_seg", candidate, datetime(2026, 1, 1, tzinfo=UTC))
    return repository.folder / "lung_seg"


def sha256(model: Path) -> str:
    return hashlib.sha256((model / "1" / "model.onnx").read_bytes()).hexdigest()


def labels(model: Path) -> str:
    return read_parameters(str(model))["labels"]


def test_of_a_home_the_promoted_version_or_one_that_waits(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    promoted, waiting = (choose("lung", str(each), 1) for each in (home, home / "2"))

    assert [
        (each.name, each.version, each.sha256, each.inference.parameters("lung_seg")["labels"])
        for each in (promoted, waiting)
    ] == [
        ("lung_seg", "1", sha256(LUNGS), labels(LUNGS)),
        ("lung_seg", "2", sha256(LESIONS), labels(LESIONS)),
    ]


def test_a_version_in_the_repository_that_is_shipped_has_its_model_s_configuration() -> None:
    chosen = choose("lesion", "lesion_seg/1", 1)

    assert (chosen.name, chosen.version, chosen.sha256) == ("lesion_seg", "1", sha256(LESIONS))
    assert chosen.inference.parameters("lesion_seg")["labels"] == labels(LESIONS)


def test_what_protobuf_writes_is_read_as_what_people_write(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    (home / "1" / "config.pbtxt").unlink()

    told = choose("lung", str(home), 1).inference.parameters("lung_seg")

    assert {**told, "sha256": ""} == {**read_parameters("lung_seg"), "sha256": ""}


WRITTEN = (
    """parameters { key: "threshold" value: { string_value: "0.3" } }
    # parameters { key: "threshold" value: { string_value: "0.5" } }""",
    "parameters { key: 'threshold' value { string_value: '0.3' } }",
    'parameters: { key: "threshold", value: { string_value: "0.3" }; }',
    'parameters [ { key: "threshold" value < string_value: "0.3" > }, { key: "a" } ]',
    'parameters: [ { value { string_value: "0.3" } key: "threshold" } ]',
    'parameters { key: "labels" value { string_value: "0 background," "1 lesion" } }',
    'parameters { key: "labels" value { string_value: "0 no,1 L\\303\\244sion # {" } }',
    'input [ { name: "x" dims: [ 1, -1 ] } ] dynamic_batching { } parameters []',
)


@pytest.mark.parametrize("written", WRITTEN)
def test_parameters_are_those_that_the_pipeline_reads(tmp_path: Path, written: str) -> None:
    config = tmp_path / "config.pbtxt"
    config.write_text(f"{written}\n")

    told = parameters_in(config)

    assert told == dict(configuration.parameters(configuration.read(config)))


@pytest.mark.parametrize(
    "slip", ["parameters {", 'parameters { key: "a" value: }', 'name: "a', "parameters: 3", "}"]
)
def test_a_configuration_that_can_t_be_read_is_refused(tmp_path: Path, slip: str) -> None:
    copytree(LUNGS, tmp_path / "lung_seg")
    config = tmp_path / "lung_seg" / "config.pbtxt"
    config.write_text(f"{config.read_text()}{slip}\n")

    with pytest.raises(BadInput, match="lung_seg") as refused:
        choose("lung", str(tmp_path / "lung_seg"), 1)

    assert refused.value.code == "unusable-model"


def test_a_model_of_another_task_and_damaged_weights_are_refused(tmp_path: Path) -> None:
    copytree(LUNGS, tmp_path / "lung_seg")
    (tmp_path / "lung_seg" / "1" / "model.onnx").write_bytes(b"no graph")

    codes = []
    for wanted in ("covid_classifier", str(tmp_path / "lung_seg")):
        with pytest.raises(BadInput) as refused:
            choose("lung", wanted, 1)
        codes.append(refused.value.code)

    assert codes == ["unusable-model", "unusable-model"]


@pytest.mark.parametrize(
    ("policy", "number"),
    [
        ("", "10"),
        ("version_policy { latest { num_versions: 2 } }", "10"),
        ("version_policy: { specific: { versions: [1, 9] } }", "9"),
        ("version_policy {\n  specific {\n    versions: 1\n  }\n}", "1"),
        ("# version_policy { specific { versions: [1] } }", "10"),
    ],
)
def test_of_a_model_folder_the_version_that_triton_would_let_answer(
    tmp_path: Path, policy: str, number: str
) -> None:
    for each in ("1", "9", "10"):
        (tmp_path / each).mkdir()
        (tmp_path / each / "model.onnx").touch()
    (tmp_path / "config.pbtxt").write_text(f'name: "other"\n{policy}\n')

    chosen = version_in(tmp_path)

    assert chosen
    assert chosen.number == number


def test_a_policy_without_its_version_and_what_is_no_model_are_refused(tmp_path: Path) -> None:
    copytree(LUNGS, tmp_path / "lung_seg")
    config = tmp_path / "lung_seg" / "config.pbtxt"
    config.write_text(f"{config.read_text()}version_policy {{ specific {{ versions: [7] }} }}\n")
    (tmp_path / "3").mkdir()
    copy(LUNGS / "1" / "model.onnx", tmp_path / "3")

    codes = []
    for wanted in ("lung_seg", "3", "4"):
        with pytest.raises(BadInput) as refused:
            choose("lung", str(tmp_path / wanted), 1)
        codes.append(refused.value.code)

    assert codes == ["no-weights", "no-such-model", "no-such-model"]
