"""Tables that a terminal of 80 columns shows whole."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_WIDEST = 1000
_READABLE = 30
"""Columns in which words can be read, such as the codes of reasons."""


def screen() -> Console:
    """As wide as the terminal, or as COLUMNS says; what reads a pipe or a file gets whole lines."""
    narrow = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(markup=False, highlight=False, width=None if narrow else _WIDEST)


@dataclass(frozen=True)
class Sheet:
    """Names at the left, figures at the right.

    Headings stand in one line where all fit, else a word a line and in their short form. A heading
    or a figure is never cut: what is still too wide breaks the names.
    """

    names: Sequence[str]
    figures: Sequence[str]
    short: Mapping[str, str] = field(default_factory=dict)
    """What a heading is called where there is less room."""
    rows: list[tuple[str, ...]] = field(default_factory=list)
    header_style: str = "bold"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = self._table([*self.names, *self.figures], gap=2)
        needed = console.measure(whole, options=options.update(width=_WIDEST)).maximum
        yield whole if needed <= options.max_width else self._table(self._short_headings(), gap=1)

    def _short_headings(self) -> list[str]:
        short = (self.short.get(name, name).replace(" ", "\n") for name in self.figures)
        return [*self.names, *short]

    def _table(self, headings: Sequence[str], gap: int) -> Table:
        table = Table(
            box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style=self.header_style
        )
        for heading in headings[: len(self.names)]:
            table.add_column(heading, overflow="fold", vertical="bottom")
        for heading in headings[len(self.names) :]:
            table.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
        for row in self.rows:
            table.add_row(*row)
        return table


@dataclass(frozen=True)
class Listing:
    """Names that stand whole, and words that wrap in the last column.

    Where the names leave the words too little room there are fewer columns.
    """

    whole: Sequence[str]
    fewer: Sequence[str]
    rows: Sequence[Mapping[str, str | Text]]
    """A cell for each heading of both."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.update(width=_WIDEST)
        whole, names = self._table(self.whole), self._table(self.whole[:-1])
        unwrapped = console.measure(whole, options=wide).maximum
        wrapped = console.measure(names, options=wide).maximum + _READABLE
        if min(unwrapped, wrapped) <= options.max_width:
            yield whole
        else:
            yield self._table(self.fewer, gap=1)

    def _table(self, headings: Sequence[str], gap: int = 2) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0))
        for heading in headings[:-1]:
            table.add_column(heading, no_wrap=True)
        table.add_column(headings[-1], overflow="fold")
        for row in self.rows:
            table.add_row(*(row[heading] for heading in headings))
        return table
