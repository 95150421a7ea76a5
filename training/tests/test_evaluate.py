"""Which cases a folder holds, what is refused, and what the command says."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from shared.imaging.volume import Volume, to_sitk
from shared.inference.fake import FakeInference
from training.evaluate import main
from training.evaluation.cases import Task
from training.evaluation.chosen import Chosen
from training.evaluation.folder import cases_in
from training.evaluation.problem import BadInput
from training.evaluation.run import Asked, _cases
from training.evaluation.scored import count_scores, read_scores
from training.tests.blocks import block


def saved(array: np.ndarray, path: Path, spacing: float = 4.0) -> None:
    sitk.WriteImage(to_sitk(Volume(array, (spacing, spacing, spacing))), str(path))


def test_a_folder_gives_cases_with_the_labels_that_count(tmp_path: Path) -> None:
    for ending in ("nii.gz", "nrrd", "mha"):
        saved(np.zeros((24, 24, 24), np.int16), tmp_path / f"{ending[:3]}.{ending}")
        saved(block() * 3, tmp_path / f"{ending[:3]}-label.{ending}")
    cases = list(cases_in(tmp_path, "lung", frozenset({3})))
    assert [case.name for case in cases] == ["mha", "nii", "nrr"]
    assert all(np.array_equal(np.asarray(case.lungs), block()) for case in cases)


@pytest.mark.parametrize("task", ["lung", "lesion"])
def test_labels_that_no_mask_holds_are_refused_and_those_that_one_holds_count(
    tmp_path: Path, task: Task
) -> None:
    for name, label in (("healthy", 0), ("sick", 3)):
        saved(np.zeros((24, 24, 24), np.int16), tmp_path / f"{name}.nrrd")
        saved(block() * label, tmp_path / f"{name}-label.nrrd")
    with pytest.raises(BadInput, match="any of 1, 2, only 3") as refused:
        cases_in(tmp_path, task, frozenset({1, 2}))
    assert refused.value.code == "labels-not-found"
    assert len(cases_in(tmp_path, task, frozenset({1, 3}))) == 2


def test_what_is_hidden_and_a_folder_of_something_else_are_no_cases(tmp_path: Path) -> None:
    saved(np.zeros((24, 24, 24), np.int16), tmp_path / "a.nrrd")
    saved(block(), tmp_path / "a.mask.nrrd")
    for name in ("._a.nrrd", "._a.mask.nrrd"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.png").write_bytes(b"\x89PNG")
    assert [case.name for case in cases_in(tmp_path, "lung", None)] == ["a"]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda folder: (folder / "a.mask.nrrd").unlink(), "mask-missing"),
        (lambda folder: saved(block(), folder / "a.mask.nrrd", spacing=3.0), "grids-differ"),
        (lambda folder: (folder / "a.nrrd").write_text("no image"), "unreadable"),
        (lambda folder: saved(block(), folder / "a.nrrd"), "no-hounsfield-units"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_a_code(tmp_path: Path, spoil, code: str) -> None:  # type: ignore[no-untyped-def]
    saved(np.zeros((24, 24, 24), np.int16), tmp_path / "a.nrrd")
    saved(block(), tmp_path / "a.mask.nrrd")
    spoil(tmp_path)
    with pytest.raises(BadInput) as refused:
        list(cases_in(tmp_path, "lung", None))
    assert refused.value.code == code


def test_classifier_cases_need_a_row_each(tmp_path: Path) -> None:
    saved(np.zeros((24, 24, 24), np.int16), tmp_path / "a.nrrd")
    (tmp_path / "labels.csv").write_text("case,covid\nb,1\n")
    with pytest.raises(BadInput, match="a") as refused:
        cases_in(tmp_path, "class", None)
    assert refused.value.code == "label-missing"
    (tmp_path / "labels.csv").write_text("case,covid\na,yes\n")
    assert [case.covid for case in cases_in(tmp_path, "class", None)] == [True]


def test_command_tells_a_problem_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--task", "lung", "--data", str(tmp_path / "none")]) == 2
    assert "error: no-such-folder" in capsys.readouterr().err


def test_command_measures_a_folder_and_tells_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(np.full((24, 24, 24), -1000, np.int16), tmp_path / "air.nii.gz")
    saved(block() * 0, tmp_path / "air.mask.nii.gz")
    saved(np.zeros((24, 24, 24), np.int16), tmp_path / "other.nrrd")
    saved(block(), tmp_path / "other.mask.nrrd", spacing=3.0)
    assert main(["--task", "lung", "--data", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["model"]["name"] == "lung_seg"
    assert [case["case"] for case in report["cases"]] == ["air"]
    assert report["summary"]["dice"]["n"] == 1
    assert [each["code"] for each in report["left_out"]] == ["grids-differ"]


def test_every_case_of_a_folder_is_measured(tmp_path: Path) -> None:
    for name in "ab":
        saved(np.zeros((24, 24, 24), np.int16), tmp_path / f"{name}.nrrd")
        saved(block(), tmp_path / f"{name}.mask.nrrd")
    chosen = Chosen("lung_seg", "1", "ab", FakeInference({}))
    assert len(_cases(Asked("lung", str(tmp_path), cases=1), chosen)) == 2


def test_scores_of_real_series_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "scored.json"
    path.write_text('{"a": {"lung": 3}}')
    count_scores("lung", ["a", "b"], path)
    count_scores("class", ["a"], path)
    assert read_scores(path) == {"a": {"class": 1, "lung": 4}, "b": {"lung": 1}}
