"""A card is its figures in words: the same each time, and of the weights beside it."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from training.card_text import card
from training.cards import CASES, _card, _options, _told
from training.cards import WORDS as WORDS_FILE
from training.config import MODELS, NAMES, read_parameters, read_plan, write_parameter
from training.evaluation.problem import BadInput

FIGURE = {"n": 9, "median": 0.9, "median_interval": [0.8, 0.95], "mean": 0.88, "worst": 0.5}
WORDS = {
    "title": "a title",
    "does": "What it does.",
    "limits": ["One limit."],
    "history": "Once.",
    "task": "lesion",
}
MODEL = {"name": "lesion_seg", "version": "2", "sha256": "6d0fa1c35b7e44"}


def report(data: str, summary: dict[str, Any], cases: tuple[Any, ...] = ()) -> dict[str, Any]:
    return {"task": "lesion", "data": data, "model": MODEL, "summary": summary, "cases": cases}


GATE = {
    "fitted to": "9 phantoms, and 2 of them varied",
    "features": ["gas, HU", "size, mm"],
    "limit": 15.42,
    "margin": 1.2,
    "warned of phantoms it never saw": {"images": 120, "warned": 2},
    "warned of what is no such image": {"head": {"images": 10, "warned": 8}},
    "warned of phantoms drawn another way": {"images": 10, "warned": 1},
    "real CT": {"a-series": {"warned": True, "distance": 16.5, "reasons": ["gas, HU"]}},
}
SCORED = {"a-series": {"lesion": 4}, "another": {"lung": 5, "gate": 1}}


def text() -> str:
    real = {"case": "a-series", "kind": "", "figures": {"false % of the lungs": 1.5}}
    reports = [report("phantoms", {"dice": FIGURE}), report("real", {}, (real,))]
    plan, parameters = read_plan("lesion_seg"), read_parameters("lesion_seg")
    return card(WORDS, reports, plan, parameters, 3_000_000, SCORED, GATE)


def test_a_card_tells_figures_with_their_number_interval_and_worst() -> None:
    assert "| dice | 9 | 0.900 | 0.800 to 0.950 | 0.880 | 0.500 |" in text().splitlines()


def test_a_card_tells_each_real_series_and_how_often_it_was_scored() -> None:
    assert "- `a-series` (4): false % of the lungs 1.500" in text().splitlines()


def test_a_card_says_what_the_model_is_not_for() -> None:
    assert "**Not for diagnosis. Research use only.** No clinical accuracy is claimed" in text()


def test_a_card_tells_which_weights_it_is_of() -> None:
    assert text().startswith("# lesion_seg, weights 6d0fa1c35b7e: a title\n")


def test_a_card_tells_every_score_of_every_real_series() -> None:
    lines = text().splitlines()
    assert "| | gate | lesion | lung |" in lines
    assert "| `a-series` | 0 | 4 | 0 |" in lines
    assert "| `another` | 1 | 0 | 5 |" in lines


def test_a_card_tells_what_the_input_gate_warns_of() -> None:
    lines = text().splitlines()
    assert "## Input gate" in lines
    assert "| phantoms that it was not fitted to | 120 | 2 |" in lines
    assert "| no such image: head | 10 | 8 |" in lines
    assert "- `a-series`: warned of (gas, HU), at a distance of 16.5" in lines


def measured(folder: Path) -> Path:
    """A model beside figures that were measured on it."""
    copy = folder / "lesion_seg"
    shutil.copytree(MODELS / "lesion_seg", copy)
    weights = {"sha256": hashlib.sha256((copy / "1" / "model.onnx").read_bytes()).hexdigest()}
    told = _told({**report("phantoms", {"dice": FIGURE}), "model": weights}, copy, 50)
    (copy / "figures.json").write_text(json.dumps([told]))
    return copy


def test_figures_tell_how_many_cases_were_asked_for(tmp_path: Path) -> None:
    (told,) = json.loads((measured(tmp_path) / "figures.json").read_text())
    assert told["asked"] == 50


def test_figures_of_another_threshold_give_no_card(tmp_path: Path) -> None:
    folder = measured(tmp_path)
    assert "| dice | 9 |" in _card(folder, WORDS)
    write_parameter(folder, "threshold", "0.05")
    with pytest.raises(BadInput, match="another configuration"):
        _card(folder, WORDS)


@pytest.mark.parametrize(
    ("key", "what"), [("sha256", "weights"), ("plan", "plan"), ("lungs", "lung model")]
)
def test_figures_of_anything_else_that_is_other_give_no_card(
    tmp_path: Path, key: str, what: str
) -> None:
    folder = measured(tmp_path)
    (told,) = json.loads((folder / "figures.json").read_text())
    told["model"][key] = "another"
    (folder / "figures.json").write_text(json.dumps([told]))
    with pytest.raises(BadInput, match=f"another {what}"):
        _card(folder, WORDS)


def test_figures_outlive_another_gate(tmp_path: Path) -> None:
    folder = measured(tmp_path)
    write_parameter(folder, "gate", "[]")
    assert "| dice | 9 |" in _card(folder, WORDS)


def test_a_measurement_draws_so_many_cases_that_shipped_tables_come_out() -> None:
    assert CASES == {"lung": 50, "lesion": 50, "class": 200}
    assert (_options([]).cases, _options([]).implants) == (None, 30)


@pytest.mark.parametrize("name", NAMES)
def test_each_shipped_card_is_what_its_figures_give(name: str) -> None:
    words = yaml.safe_load(WORDS_FILE.read_text())[name]
    assert (MODELS / name / "card.md").read_text() == _card(MODELS / name, words)
