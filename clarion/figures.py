"""The screen of `clarion top`: a snapshot of statistics as tables."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

_WINDOW = "5 min"
_DONE = ("succeeded", "reused", "refused", "failed")
_ENDS = ("completed", "partial", "refused", "failed")
_LANES = ("stat", "routine", "bulk")

Line = Mapping[str, Any]


def screen(snapshot: Mapping[str, Any]) -> Group:
    """Stages, jobs and refusals of the last five minutes; backlogs, senders, alerts of now."""
    lines: Sequence[Line] = snapshot["windows"][_WINDOW]
    when = datetime.fromisoformat(snapshot["at"]).astimezone().strftime("%H:%M:%S")
    tables = [
        _jobs(lines, snapshot["in_work"]),
        _stages([line for line in lines if "stage" in line["key"] and "code" not in line["key"]]),
        _refusals([line for line in lines if "code" in line["key"]]),
        _backlog(snapshot["backlog"]),
        _senders(snapshot["senders"]),
        _alerts(snapshot["alerts"]),
    ]
    head = Text(f"{when}, the last {_WINDOW}", style="bold")
    return Group(head, *(table for table in tables if table.row_count))


def _jobs(lines: Sequence[Line], in_work: Sequence[Line]) -> Table:
    open_jobs = {_place(line["key"]): line["figures"]["in_work"] for line in in_work}
    ended = {_place(line["key"]): line["figures"] for line in lines if "stage" not in line["key"]}
    table = _table("pipeline", "lane", "in work", "begun", *_ENDS, "p50 s", "p95 s", "delivered")
    for place in sorted({*open_jobs, *ended}):
        figures = ended.get(place, {})
        table.add_row(
            *place,
            _number(open_jobs.get(place, 0)),
            *(_number(figures.get(name, 0)) for name in ("begun", *_ENDS)),
            *_latency(figures, "end_to_end"),
            _number(figures.get("delivery_delivered", 0)),
        )
    return table


def _stages(lines: Sequence[Line]) -> Table:
    table = _table("stage", "lane", "per min", *_DONE, "p50 s", "p95 s", "wait p50", "wait p95")
    for line in lines:
        figures = line["figures"]
        table.add_row(
            line["key"]["stage"],
            line["key"]["lane"],
            f"{figures['per_min']:.1f}",
            *(_number(figures.get(name, 0)) for name in _DONE),
            *_latency(figures, "duration"),
            *_latency(figures, "wait"),
        )
    return table


def _refusals(lines: Sequence[Line]) -> Table:
    table = _table("refused or failed at", "lane", "code", "events")
    for line in lines:
        key, figures = line["key"], line["figures"]
        count = figures.get("refused", 0) + figures.get("failed", 0)
        table.add_row(key["stage"], key["lane"], key["code"], _number(count))
    return table


def _backlog(found: Sequence[Line]) -> Table:
    table = _table("waits for, or is at", *_LANES)
    counts = {(line["service"], line["lane"]): line["events"] for line in found}
    for service in sorted({service for service, _ in counts}):
        told = [counts.get((service, lane), 0) for lane in _LANES]
        if any(told):
            table.add_row(service, *map(_number, told))
    return table


def _senders(found: Sequence[Line]) -> Table:
    table = _table("sender", "last study")
    for line in found:
        table.add_row(line["sender"], f"{_ago(line['last_study_s'])} ago")
    return table


def _alerts(found: Sequence[Line]) -> Table:
    table = _table("alert", "of", "figures")
    for line in found:
        figures = ", ".join(f"{name} {value:g}" for name, value in line["figures"].items())
        table.add_row(Text(line["code"], style="red"), " ".join(line["key"].values()), figures)
    return table


def _table(*names: str) -> Table:
    table = Table(box=None)
    for name in names:
        table.add_column(name, no_wrap=True)
    return table


def _place(key: Mapping[str, str]) -> tuple[str, str]:
    return key["pipeline"], key["lane"]


def _latency(figures: Mapping[str, float], name: str) -> tuple[str, str]:
    if f"{name}_p50_s" not in figures:
        return "-", "-"
    return f"{figures[f'{name}_p50_s']:.2f}", f"{figures[f'{name}_p95_s']:.2f}"


def _number(count: float) -> str:
    return f"{count:.0f}"


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
