"""A job's way as a waterfall: one line per span, indented below its parent, a bar for its time."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

Span = Mapping[str, Any]

_BAR = 48
_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green")


def waterfall(spans: Sequence[Span], width: int = _BAR) -> Table:
    """A table of spans as the console gives them, parents first; times in ms since the first began.

    Quiet time is shown and then folded: what follows it is drawn as if it had not been.
    """
    quiet = [span for span in spans if span["name"] == "quiet-time"]
    begin = min(span["start_ns"] for span in spans)
    end = _folded(max(span["end_ns"] for span in spans), begin, quiet)
    colours = _colours(spans)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("service")
    table.add_column("span", overflow="ellipsis", no_wrap=True)
    table.add_column("at ms", justify="right", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for span in spans:
        start = _folded(span["start_ns"], begin, quiet)
        stop = _folded(span["end_ns"], begin, quiet)
        colour = "red" if span.get("failed") else colours[span["service"]]
        table.add_row(
            Text(span["service"], style=colour),
            "  " * span["depth"] + _named(span),
            f"{start / 1e6:.0f}",
            f"{(span['end_ns'] - span['start_ns']) / 1e6:.1f}",
            _bar(start, stop, end, width, colour, faint="clarion.wait" in _attributes(span)),
        )
    return table


def _attributes(span: Span) -> Mapping[str, Any]:
    found: Mapping[str, Any] = span.get("attributes") or {}
    return found


def _named(span: Span) -> str:
    about = _attributes(span)
    detail = about.get("clarion.kind") or about.get("clarion.model")
    return f"{span['name']} {detail}" if detail else str(span["name"])


def _folded(moment: int, begin: int, quiet: Sequence[Span]) -> int:
    """Nanoseconds since `begin`, less the quiet time before the moment."""
    passed = sum(max(0, min(moment, s["end_ns"]) - s["start_ns"]) for s in quiet)
    return int(moment - begin - passed)


def _colours(spans: Sequence[Span]) -> dict[str, str]:
    services = dict.fromkeys(span["service"] for span in spans)
    return {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(services)}


def _bar(start: int, stop: int, end: int, width: int, colour: str, *, faint: bool) -> Text:
    scale = width / max(end, 1)
    left = min(int(start * scale), width - 1)
    size = max(1, round((stop - start) * scale))
    size = min(size, width - left)
    return Text(" " * left + ("░" if faint else "█") * size, style=colour)
