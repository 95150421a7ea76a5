"""Tells figures to people."""

from typing import Any

from rich.console import Console
from rich.table import Table

from training.evaluation.measure import MARKED

SHOWN = 12
"""The most cases of a table."""
TOLD = (
    "dice",
    "surface dice",
    "volume error ml",
    MARKED,
    "% of look-alikes marked",
    "probability",
    "covid",
)
"""The figures of one case that fit a terminal."""


def show(report: dict[str, Any], console: Console) -> None:
    """The cases, worst first, then what they are together."""
    console.print(_cases(report))
    console.print(_together(report))


def _cases(report: dict[str, Any]) -> Table:
    rows = report["cases"]
    names = [name for name in TOLD if any(name in row["figures"] for row in rows)]
    table = Table("case", title=f"{report['task']} on {report['data']}, worst first", expand=False)
    for name in names:
        table.add_column(name, justify="right")
    for row in rows[:SHOWN]:
        table.add_row(_name(row), *(_number(row["figures"].get(name)) for name in names))
    if len(rows) > SHOWN:
        table.caption = f"and {len(rows) - SHOWN} more; --json has them all"
    return table


def _together(report: dict[str, Any]) -> Table:
    model = report["model"]
    title = f"{model['name']} version {model['version']}, weights {model['sha256'][:12]}"
    table = Table("figure", title=title, caption="intervals: 95 %, by bootstrap over the cases")
    for column in ("n", "median or value", "95 % interval", "mean", "worst"):
        table.add_column(column, justify="right")
    for name, figure in report["summary"].items():
        table.add_row(
            name,
            str(figure["n"]),
            _number(figure.get("median", figure.get("value"))),
            _range(figure.get("median_interval", figure.get("interval"))),
            _number(figure.get("mean")),
            _number(figure.get("worst")),
        )
    return table


def _name(row: dict[str, Any]) -> str:
    return f"{row['case']} ({row['kind']})" if row["kind"] else str(row["case"])


def _range(pair: list[float | None] | None) -> str:
    return f"{_number(pair[0])} to {_number(pair[1])}" if pair else ""


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.0f}"
