"""A second training is compared with the first by figures that lie in its intervals, or do not."""

import json
import shutil
from pathlib import Path

import pytest

from training.config import MODELS, NAMES
from training.evaluation.problem import BadInput
from training.reproduced import compared, main


@pytest.fixture
def again(tmp_path: Path) -> Path:
    """As good models of other weights."""
    for name in NAMES:
        (tmp_path / name).mkdir()
        reports = json.loads((MODELS / name / "figures.json").read_text())
        for report in reports:
            report["model"]["sha256"] = "ab"
        (tmp_path / name / "figures.json").write_text(json.dumps(reports))
    return tmp_path


def measured_on(folder: Path, kinds: tuple[str, ...]) -> None:
    """Leave the lesion model the figures of these kinds of data."""
    path = folder / "lesion_seg" / "figures.json"
    reports = json.loads(path.read_text())
    path.write_text(json.dumps([each for each in reports if each["data"] in kinds]))


def test_the_same_figures_are_reproduced(again: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(again), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["model"] for row in rows} == set(NAMES)
    assert all(row["first"] == row["again"] for row in rows)


def test_a_worse_model_is_not(again: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = again / "lesion_seg" / "figures.json"
    reports = json.loads(path.read_text())
    reports[0]["summary"]["dice"]["median"] = 0.3
    path.write_text(json.dumps(reports))
    assert main([str(again), "--json"]) == 1
    wrong = [row for row in json.loads(capsys.readouterr().out) if not row["within"]]
    assert [(row["model"], row["data"], row["again"]) for row in wrong] == [
        ("lesion_seg", "phantoms", 0.3)
    ]


def test_a_figure_beside_the_headlines_that_lies_outside_is_told(
    again: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = again / "covid_classifier" / "figures.json"
    reports = json.loads(path.read_text())
    reports[0]["summary"]["calibration error"]["value"] = 0.5
    path.write_text(json.dumps(reports))
    assert main([str(again)]) == 0
    told = capsys.readouterr().out
    assert "error" in told  # the calibration error
    assert "Brier" not in told
    assert "65 of 66 figures lie within" in told


@pytest.mark.parametrize("count", [{"asked": 60}, {"asked": 50, "n": 33}])
def test_figures_of_unlike_counts_are_not_compared(
    again: Path, capsys: pytest.CaptureFixture[str], count: dict[str, int]
) -> None:
    path = again / "lesion_seg" / "figures.json"
    reports = json.loads(path.read_text())
    reports[0]["asked"] = count["asked"]
    reports[0]["summary"]["dice"]["n"] = count.get("n", reports[0]["summary"]["dice"]["n"])
    path.write_text(json.dumps(reports))
    assert main([str(again), "--json"]) == 2
    assert "unlike-counts: lesion_seg on phantoms" in capsys.readouterr().err


def test_the_same_weights_are_no_second_training(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(MODELS), "--json"]) == 2
    told = capsys.readouterr()
    assert "error: same-weights: lung_seg" in told.err
    assert not told.out


@pytest.mark.parametrize("kinds", [("phantoms", "implants", "real"), ("real",)])
def test_a_kind_of_data_that_one_side_lacks_is_an_error(
    again: Path, capsys: pytest.CaptureFixture[str], kinds: tuple[str, ...]
) -> None:
    measured_on(again, kinds)
    assert main([str(again), "--json"]) == 2
    assert "error: unlike-data: lesion_seg" in capsys.readouterr().err


def test_nothing_in_common_is_an_error(again: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    shutil.copytree(again / "lesion_seg", first / "lesion_seg")
    for folder in (first, again):
        measured_on(folder, ("real",))
    with pytest.raises(BadInput, match="measured on none and none"):
        list(compared("lesion_seg", first, again))


def test_what_was_not_measured_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "make train" in capsys.readouterr().err
