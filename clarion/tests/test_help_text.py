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


@pytest.mark.parametrize("words", ["", "up", "jobs", "jobs show"])
def test_h_is_help_everywhere(words: str) -> None:
    short = CliRunner().invoke(build(), [*words.split(), "-h"], env=WIDE)
    assert (short.exit_code, short.output) == (0, _help(words))


@pytest.mark.parametrize(("word", "meant"), [("stop", "down"), ("start", "up"), ("jbos", "jobs")])
def test_for_a_command_that_is_not_there_the_one_that_is_meant_is_named(
    word: str, meant: str
) -> None:
    refused = CliRunner().invoke(build(), [word], env=WIDE)
    assert refused.exit_code == 2
    assert f"No such command '{word}'. Did you mean '{meant}'?" in refused.output


def test_an_option_that_takes_a_value_shows_which() -> None:
    assert "--wait <float>" in " ".join(_help("up").split())


def _help(words: str) -> str:
    return CliRunner().invoke(build(), [*words.split(), "--help"], env=WIDE).output
