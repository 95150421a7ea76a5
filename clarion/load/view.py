"""A run as people see it: live tables in a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from clarion.load.figures import Spread
from clarion.load.plan import Fault
from clarion.load.report import Report
from clarion.sheet import Sheet

_TELL_S = 10.0
_HEADS = ("p50", "p95", "p99")

Show = Callable[[Report], object]


@contextmanager
def shown(console: Console, title: str) -> Iterator[Show]:
    """What takes each report of a run, until the block ends."""
    if not console.is_terminal:
        console.print(title, soft_wrap=True)
        yield _Told(console)
        return
    with Live(console=console, refresh_per_second=4, transient=True) as screen:
        yield lambda report: screen.update(Group(Text(title, style="bold"), picture(report)))


@dataclass
class _Told:
    """Prints where a run stands, every few seconds."""

    console: Console
    told_at: float = field(default_factory=time.monotonic)

    def __call__(self, report: Report) -> None:
        if time.monotonic() - self.told_at >= _TELL_S:
            self.told_at = time.monotonic()
            self.console.print(line(report), soft_wrap=True)


def line(report: Report) -> str:
    """Where a run stands."""
    sending, cpu = report.sending, report.machine.cpu_percent
    ended = sum(report.jobs.values())
    jobs = "1 job" if ended == 1 else f"{ended} jobs"
    behind = report.machine.backlog
    lag = "" if behind is None else f", {sum(behind.values())} events behind"
    return (
        f"{report.elapsed_s:6.0f} s  {sending.studies} of {sending.planned} sent, "
        f"{jobs} ended, {report.unfinished} waiting, CPU {cpu:.0f} %{lag}"
    )


def picture(report: Report) -> RenderableType:
    """All figures: sending, lanes, stages, machine."""
    parts: list[RenderableType] = [Text(line(report)), _rates(report)]
    if report.lanes:
        parts += ["", _lanes(report)]
    if report.stages:
        parts += ["", _stages(report)]
    if (machine := _machine(report)).rows:
        parts += ["", machine]
    return Group(*parts)


def verdict(report: Report) -> str:
    """Whether all is well in one sentence; else how many are not."""
    sending = report.sending
    studies = f"{sending.studies} studies" if sending.studies != 1 else "1 study"
    if report.interrupted:
        studies = f"interrupted after {sending.studies} of {sending.planned} studies"
    if wrong := _wrong(report):
        return f"not well: {studies}, {wrong}"
    if report.interrupted and not sending.studies:
        return f"interrupted before any of {sending.planned} studies was sent"
    ended = ", ".join(f"{status} {count}" for status, count in report.jobs.items())
    jobs = f"jobs: {ended}" if ended else "no job"
    if report.waiting:
        return f"nothing lost so far: {studies}, {jobs}, not waited for {report.waiting}"
    return f"nothing lost, all delivered: {studies}, {jobs}"


def _wrong(report: Report) -> str:
    """How much there is of each thing that must not be."""
    found = report.verdict
    counts = {
        "lost": len(found.lost),
        "not completed": len(found.not_completed),
        "not stored": len(report.sending.not_stored),
        "unexpected jobs": len(found.unexpected),
        "objects delivered twice": len(found.filed.twice) + found.filed.repeated,
        "objects not at the PACS": len(found.filed.missing),
    }
    return ", ".join(f"{what} {count}" for what, count in counts.items() if count)


def _rates(report: Report) -> Text:
    sending = report.sending
    told = [f"{sending.mb:.0f} MB", f"{sending.instances} instances"]
    if sending.per_h:
        told.append(f"sent {sending.per_h:.0f}/h")
    if report.finished_per_h:
        told.append(f"finished {report.finished_per_h:.0f}/h")
    if report.shown_after:
        told.append(f"jobs end {report.shown_after.p95:.1f} s (p95) after their last stage")
    if sending.late and sending.late.p95 > 1:
        told.append(f"senders late by {sending.late.p95:.1f} s (p95)")
    if faults := {name: n for name, n in sorted(sending.faults.items()) if name != Fault.NONE}:
        told.append("clumsy senders: " + " ".join(f"{name} {n}" for name, n in faults.items()))
    if sending.unanswered:
        told.append(f"sent again, for want of an answer: {sending.unanswered} instances")
    if report.left_out:
        listed = ", ".join(f"{how} {count}" for how, count in report.left_out.items())
        told.append(f"not completed, and in no percentile: {listed}")
    if report.unanswered:
        told.append(f"the jobs API did not answer {report.unanswered} times")
    return Text(", ".join(told), style="dim")


def _lanes(report: Report) -> Sheet:
    sheet = _sheet("end to end, s", "jobs", *_HEADS, "longest")
    for lane, spread in report.lanes.items():
        sheet.rows.append((lane, str(spread.count), *_numbers(spread), f"{spread.longest:.1f}"))
    return sheet


def _stages(report: Report) -> Sheet:
    columns = ("jobs", *(f"took {name}" for name in _HEADS), *(f"wait {n}" for n in _HEADS), "busy")
    sheet = _sheet("stage, s", *columns)
    for name, stage in report.stages.items():
        numbers = (*_numbers(stage.took), *_numbers(stage.wait))
        sheet.rows.append((name, str(stage.took.count), *numbers, f"{stage.busy:.2f}"))
    return sheet


def _machine(report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    for model, queue in report.machine.triton.items():
        if queue.requests:
            waited = queue.queued_us / queue.requests / 1000
            computed = queue.computed_us / queue.requests / 1000
            told = f"{model}: {queue.requests} requests, {waited:.0f} ms queued, {computed:.0f} ms"
            table.add_row("Triton", f"{told} computed (means)", style="dim")
    behind = {name: most for name, most in report.machine.backlog_most.items() if most}
    if behind:
        now = report.machine.backlog
        listed = (
            f"{name} {most}" if now is None else f"{name} {now.get(name, 0)} ({most})"
            for name, most in sorted(behind.items())
        )
        told = "events behind, at most" if now is None else "events behind (most)"
        table.add_row("Kafka", f"{told}: {', '.join(listed)}", style="dim")
    return table


def _sheet(first: str, *columns: str) -> Sheet:
    return Sheet((first,), columns, header_style="dim")


def _numbers(spread: Spread) -> tuple[str, str, str]:
    return f"{spread.p50:.1f}", f"{spread.p95:.1f}", f"{spread.p99:.1f}"
