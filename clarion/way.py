"""The way of a study as people see it: a live table in a terminal, plain lines elsewhere."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from clarion.following import Job, delivery_statuses, seconds_between, settled
from clarion.statuses import colour, coloured

_BAR = 24


def show(console: Console, jobs: Iterable[Job | None]) -> Job | None:
    """Draw each state of the job as it comes; returns the last."""
    if console.is_terminal:
        return _drawn(console, jobs)
    return _told(console, jobs)


def _drawn(console: Console, jobs: Iterable[Job | None]) -> Job | None:
    last: Job | None = None
    with Live(console=console, refresh_per_second=8) as screen:
        for last in jobs:
            screen.update(picture(last))
    return last


def _told(console: Console, jobs: Iterable[Job | None]) -> Job | None:
    last: Job | None = None
    told: set[str] = set()
    for last in jobs:
        for line in lines(last) if last else ():
            if line not in told:
                console.print(line, soft_wrap=True)
                told.add(line)
    return last


def lines(job: Job) -> Iterator[str]:
    """What has happened to the job so far, a line for each."""
    yield f"job {job['job_id']} began"
    ended = [stage for stage in job["stages"] if stage["finished_at"]]
    for stage in sorted(ended, key=lambda stage: str(stage["finished_at"])):
        took = seconds_between(stage["started_at"], stage["finished_at"])
        yield f"{stage['stage']:<22} {stage['status']:<10} {took or 0:6.2f} s"
    if settled(job):
        yield f"job {job['status']}, {_deliveries(job)}"


def picture(job: Job | None) -> RenderableType:
    """A line and a bar for each stage; times count from the arrival of the first image."""
    if job is None:
        return Spinner("dots", "waiting until no more images come", style="cyan")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("stage", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("at s", justify="right")
    table.add_column("took s", justify="right")
    table.add_column("", no_wrap=True)
    spans = {stage["stage"]: _span(job, stage) for stage in job["stages"]}
    drawn = [span for span in spans.values() if span]
    frame = min((span[0] for span in drawn), default=0.0), max((s[1] for s in drawn), default=1.0)
    for stage in job["stages"]:
        span = spans[stage["stage"]]
        times = (f"{span[0]:.2f}", f"{span[1] - span[0]:.2f}") if span else ("", "")
        bar = _bar(span, frame, colour(stage["status"]))
        table.add_row(stage["stage"], coloured(stage["status"]), *times, bar)
    head = Text.assemble("job ", (job["job_id"][:8], "bold"), " ", coloured(job["status"]))
    foot = Text(_deliveries(job))
    if settled(job):
        return Group(head, "", table, "", foot)
    return Group(head, "", table, "", Spinner("dots", foot, style="cyan"))


def _span(job: Job, stage: Mapping[str, Any]) -> tuple[float, float] | None:
    start = seconds_between(job["received_at"], stage["started_at"])
    end = seconds_between(job["received_at"], stage["finished_at"])
    return (start, end) if start is not None and end is not None else None


def _bar(span: tuple[float, float] | None, frame: tuple[float, float], style: str) -> Text:
    """The frame begins with the first stage: the quiet time before it would fill half of it."""
    if span is None:
        return Text("")
    scale = _BAR / max(frame[1] - frame[0], 1e-9)
    left, right = (int((moment - frame[0]) * scale) for moment in span)
    left = min(left, _BAR - 1)
    return Text(" " * left + "━" * max(1, right - left), style=style)


def _deliveries(job: Job) -> str:
    found = delivery_statuses(job)
    if not found:
        return "nothing to deliver yet" if job["status"] == "running" else "nothing to deliver"
    done = found.count("delivered")
    return f"{done} of {len(found)} objects delivered"
