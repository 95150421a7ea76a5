"""Every code that a job, a stage or a delivery may show has a text for people."""

import ast
from collections.abc import Iterator
from pathlib import Path

from services.results.reasons import TEXTS, text_of
from shared.catalog import ROOT
from shared.events.models import ReasonModel

_EMITTERS = ("Defect", "_defect", "WorkerLost", "Reason", "ReasonModel", "Refusal")
_OF_STAGES = {
    "deadline-exceeded",
    "outcome-unreadable",
    "wrong-product",
    "dependency-failed",
    "worker-died",
    "out-of-memory",
    "defect",
}


def modules(folder: str) -> Iterator[Path]:
    return (path for path in (ROOT / folder).rglob("*.py") if "tests" not in path.parts)


def emitted(folder: str) -> set[str]:
    """The codes with which the folder's modules make a failure or a refusal."""
    calls = (
        node
        for path in modules(folder)
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call)
    )
    return {code for call in calls if _name(call) in _EMITTERS for code in _literals(call)}


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _literals(call: ast.Call) -> Iterator[str]:
    first = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "code")]
    for value in first:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def test_every_way_in_which_the_bus_gives_up_has_a_text() -> None:
    codes = emitted("shared/bus")
    assert codes >= _OF_STAGES
    assert codes - set(TEXTS) == set()


def test_every_refusal_has_a_text() -> None:
    codes = emitted("services")
    assert "deadline" in codes
    assert codes - set(TEXTS) == set()


def test_a_text_ends_with_the_limit() -> None:
    numbers = {"at_least": 20, "slices": 14}
    text = text_of(ReasonModel(code="too-few-slices", numbers=numbers))
    assert text.endswith(" (slices 14, at least 20)")


def test_a_stage_s_deadline_is_not_told_as_the_job_s() -> None:
    assert TEXTS["deadline"] != TEXTS["deadline-exceeded"]
