"""What the tables of a card tell, and of which cases they have no figures."""

from typing import Any

from training.card_text import card
from training.config import read_parameters, read_plan

FIGURE = {"n": 9, "median": 0.9, "median_interval": [0.8, 0.95], "mean": 0.88, "worst": 0.5}
OEDEMA = {"n": 3, "median": 12.0, "median_interval": [8, 59], "mean": 25.0, "worst": 59.0}
WORDS = {"title": "a title", "does": "What it does.", "limits": [], "history": "Once."}


def text(summary: dict[str, Any], left_out: tuple[str, ...] = (), data: str = "phantoms") -> str:
    report = {
        "task": "lesion",
        "data": data,
        "model": {"name": "lesion_seg", "version": "2", "sha256": "6d0fa1c35b7e44"},
        "summary": {"dice": FIGURE, **summary},
        "left_out": [{"code": code, "message": ""} for code in left_out],
    }
    plan, parameters = read_plan("lesion_seg"), read_parameters("lesion_seg")
    return card(WORDS, [report], plan, parameters, 3_000_000, {})


def test_a_card_tells_what_is_marked_in_look_alikes_and_of_the_lungs_by_kind() -> None:
    told = text({"% of look-alikes marked": OEDEMA, "marked % of the lungs: oedema": OEDEMA})
    figures = "3 | 12 | 8.000 to 59 | 25 | 59 |"
    assert f"| % of look-alikes marked | {figures}" in told.splitlines()
    assert f"| marked % of the lungs: oedema | {figures}" in told.splitlines()


def test_a_card_counts_the_cases_without_figures() -> None:
    told = text({}, ("no-lungs", "truth-missing", "no-lungs"))
    assert "\nWithout figures are 2 more: the lung model found no lungs; 1 more: too little" in told
    assert "Without figures" not in text({})


def test_a_card_tells_that_the_cts_with_implants_are_coarser_than_a_scanner_s() -> None:
    told = text({}, data="implants")
    assert "On 9 CTs of three real patients in turn, coarser than a scanner gives them (" in told
