"""The screen of `clarion top`: a snapshot of statistics as tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from clarion.halted import told
from clarion.sheet import Sheet

_WINDOW = "5 min"
_DONE = ("succeeded", "reused", "refused", "failed")
_ENDS = ("completed", "partial", "refused", "failed")
_LANES = ("stat", "routine", "bulk")
_PERCENTILES = ("p50", "p95")
_ID = 8
_SHORT = {"completed": "done", "delivered": "sent", "succeeded": "ok"}

Line = Mapping[str, Any]


def screen(snapshot: Mapping[str, Any]) -> Group:
    """Alerts, backlogs, senders of now; jobs, refusals, stages of the last five minutes.

    What needs somebody comes first: `why_not` of the snapshot, why figures are not whole; `halted`,
    the services that take in nothing; and alerts. The stages, most lines of all, come last.
    """
    lines: Sequence[Line] = snapshot["windows"][_WINDOW]
    when = datetime.fromisoformat(snapshot["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    sheets = [
        _jobs(lines, snapshot["in_work"]),
        _refusals([line for line in lines if "code" in line["key"]]),
        _backlog(snapshot["backlog"]),
        _senders(snapshot["senders"]),
        _stages([line for line in lines if "stage" in line["key"] and "code" not in line["key"]]),
    ]
    alerts = [_alerts(snapshot["alerts"])] if snapshot["alerts"] else []
    head = Text(f"{when}, the last {_WINDOW}, times in s", style="bold")
    first = [f"not whole: {reason}" for reason in snapshot["why_not"]]
    first += [told(service) for service in snapshot["halted"]]
    red = [Text(line, style="red") for line in first]
    return Group(head, *red, *alerts, *(sheet for sheet in sheets if sheet.rows))


@dataclass(frozen=True)
class Cut:
    """The lines that a terminal has room for; its last one says how many more there are."""

    whole: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self.whole, options.reset_height(), pad=False)
        room = options.size.height
        cut = options.is_terminal and len(lines) > room
        for line in lines[: room - 1] if cut else lines:
            yield from line
            yield Segment.line()
        if cut:
            missing = len(lines) - room + 1
            yield Text(f"{missing} more lines: clarion top --once shows all", style="bold")


def _jobs(lines: Sequence[Line], in_work: Sequence[Line]) -> Sheet:
    open_jobs = {_place(line["key"]): line["figures"]["in_work"] for line in in_work}
    whole = [line for line in lines if not line["key"].keys() & {"stage", "code"}]
    ended = {_place(line["key"]): line["figures"] for line in whole}
    figures = ("in work", "begun", *_ENDS, *_PERCENTILES, "delivered")
    sheet = Sheet(("pipeline", "lane"), figures, _SHORT)
    for place in sorted({*open_jobs, *ended}):
        told = ended.get(place, {})
        sheet.rows.append(
            (
                *place,
                _number(open_jobs.get(place, 0)),
                *(_number(told.get(name, 0)) for name in ("begun", *_ENDS)),
                *_latency(told, "end_to_end"),
                _number(told.get("delivery_delivered", 0)),
            )
        )
    return sheet


def _stages(lines: Sequence[Line]) -> Sheet:
    times = [f"{what} {name}" for what in ("took", "wait") for name in _PERCENTILES]
    sheet = Sheet(("stage", "lane"), ("per min", *_DONE, *times), _SHORT)
    for line in lines:
        figures = line["figures"]
        sheet.rows.append(
            (
                line["key"]["stage"],
                line["key"]["lane"],
                f"{figures['per_min']:.1f}",
                *(_number(figures.get(name, 0)) for name in _DONE),
                *_latency(figures, "duration"),
                *_latency(figures, "wait"),
            )
        )
    return sheet


def _refusals(lines: Sequence[Line]) -> Sheet:
    """By stage; of a whole job only what no stage has said, such as that its time was over."""
    sheet = Sheet(("refused or failed at", "lane", "code"), ("events",))
    of_stages = {line["key"]["code"] for line in lines if "stage" in line["key"]}
    for line in lines:
        key, figures = line["key"], line["figures"]
        count = sum(figures.get(name, 0) for name in ("partial", "refused", "failed"))
        if count and ("stage" in key or key["code"] not in of_stages):
            sheet.rows.append((key.get("stage", "job"), key["lane"], key["code"], _number(count)))
    return sheet


def _backlog(found: Sequence[Line]) -> Sheet:
    sheet = Sheet(("waits for, or is at",), _LANES)
    counts = {(line["service"], line["lane"]): line["events"] for line in found}
    for service in sorted({service for service, _ in counts}):
        told = [counts.get((service, lane), 0) for lane in _LANES]
        if any(told):
            sheet.rows.append((service, *map(_number, told)))
    return sheet


def _senders(found: Sequence[Line]) -> Sheet:
    sheet = Sheet(("sender",), ("last study",))
    for line in found:
        sheet.rows.append((line["sender"], f"{_ago(line['last_study_s'])} ago"))
    return sheet


def _alerts(found: Sequence[Line]) -> Table:
    table = Table("alert", "of", "figures", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for line in found:
        figures = ", ".join(f"{name} {value:g}" for name, value in line["figures"].items())
        of = " ".join(filter(None, (_named(*each) for each in line["key"].items())))
        table.add_row(Text(line["code"], style="red"), of, figures)
    return table


def _named(name: str, value: str) -> str:
    """A job by the beginning of its id, which every command takes; its first run goes unsaid."""
    if name == "job":
        return value[:_ID]
    if name == "run":
        return "" if value == "1" else f"run {value}"
    return value


def _place(key: Mapping[str, str]) -> tuple[str, str]:
    return key["pipeline"], key["lane"]


def _latency(figures: Mapping[str, float], name: str) -> tuple[str, str]:
    if f"{name}_p50_s" not in figures:
        return "-", "-"
    return _seconds(figures[f"{name}_p50_s"]), _seconds(figures[f"{name}_p95_s"])


def _seconds(value: float) -> str:
    """Three digits tell enough, and take four characters."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _number(count: float) -> str:
    return f"{count:.0f}"


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
