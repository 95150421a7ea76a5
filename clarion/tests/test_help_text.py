"""`--help` breaks no line where its source does, and shows flags as what they are."""

import inspect

import pytest
from typer.testing import CliRunner

from clarion.__main__ import build
from clarion.commands.load import load
from clarion.commands.models import load as load_model
from clarion.commands.prune import prune

WIDE = {"TERMINAL_WIDTH": "1000", "COLUMNS": "1000"}


@pytest.mark.parametrize(
    ("words", "function"), [("load", load), ("models load", load_model), ("prune", prune)]
)
def test_each_paragraph_is_one_line_where_there_is_room(words: str, function: object) -> None:
    lines = [line.strip() for line in _help(words).splitlines()]
    for paragraph in (inspect.getdoc(function) or "").split("\n\n"):
        assert " ".join(paragraph.split()) in lines


@pytest.mark.parametrize("words", ["", "up", "jobs", "jobs show", "load"])
def test_a_flag_takes_no_value(words: str) -> None:
    said = _help(words)
    assert "--help" in said
    assert "bool" not in said


def test_an_option_that_takes_a_value_shows_which() -> None:
    assert "--wait <float>" in " ".join(_help("up").split())


def _help(words: str) -> str:
    return CliRunner().invoke(build(), [*words.split(), "--help"], env=WIDE).output
