"""A table of figures is whole at any width that its figures fit in."""

from rich.console import Console

from clarion.sheet import Sheet

SHEET = Sheet(
    ("stage",),
    ("jobs", "took p50", "completed"),
    {"completed": "done"},
    [("reader", "7", "1", "2")],
)


def _lines(width: int) -> list[str]:
    console = Console(width=width)
    with console.capture() as said:
        console.print(SHEET)
    return [line.rstrip() for line in said.get().splitlines()]


def test_headings_are_in_a_line_where_they_fit() -> None:
    assert _lines(35) == [
        "stage   jobs  took p50  completed",
        "reader     7         1          2",
    ]


def test_headings_are_short_and_a_word_a_line_where_they_do_not() -> None:
    assert _lines(32) == [
        "            took",
        "stage  jobs  p50 done",
        "reader    7    1    2",
    ]


def test_names_are_broken_before_a_figure_is_cut() -> None:
    assert _lines(19) == [
        "stag      took",
        "e    jobs  p50 done",
        "read",
        "er      7    1    2",
    ]
