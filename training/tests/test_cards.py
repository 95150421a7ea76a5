"""A card is its figures in words: the same each time, and of the weights beside it."""

from training.card_text import card
from training.config import read_parameters, read_plan

FIGURE = {"n": 9, "median": 0.9, "median_interval": [0.8, 0.95], "mean": 0.88, "worst": 0.5}
WORDS = {
    "title": "a title",
    "does": "What it does.",
    "limits": ["One limit."],
    "history": "Once.",
    "task": "lesion",
}
MODEL = {"name": "lesion_seg", "version": "2", "sha256": "ab"}


def report(
    data: str, summary: dict[str, object], cases: tuple[object, ...] = ()
) -> dict[str, object]:
    return {"task": "lesion", "data": data, "model": MODEL, "summary": summary, "cases": cases}


def text() -> str:
    real = {"case": "a-series", "kind": "", "figures": {"false % of the lungs": 1.5}}
    reports = [report("phantoms", {"dice": FIGURE}), report("real", {}, (real,))]
    plan, parameters = read_plan("lesion_seg"), read_parameters("lesion_seg")
    return card(WORDS, reports, plan, parameters, 3_000_000, {"a-series": {"lesion": 4}})


def test_a_card_tells_figures_with_their_number_interval_and_worst() -> None:
    assert "| dice | 9 | 0.900 | 0.800 to 0.950 | 0.880 | 0.500 |" in text().splitlines()


def test_a_card_tells_each_real_series_and_how_often_it_was_scored() -> None:
    assert "- `a-series` (4): false % of the lungs 1.500" in text().splitlines()


def test_a_card_says_what_the_model_is_not_for() -> None:
    assert "**Not for diagnosis. Research use only.** No clinical accuracy is claimed" in text()
    assert text() == text()
