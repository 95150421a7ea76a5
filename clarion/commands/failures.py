"""`clarion failures`: what the system failed to do, and trying it again."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from clarion import api, halted
from clarion.failure import Failure
from clarion.options import HomeOption, JsonOption

app = typer.Typer(
    name="failures", help="Stages that gave up: look, try again, or leave it.", no_args_is_help=True
)

ChosenJob = Annotated[
    str | None, typer.Argument(metavar="[JOB]", help="A job's id, or the beginning of one.")
]
CodeOption = Annotated[str | None, typer.Option("--code", help="Only those with this code.")]
ServiceOption = Annotated[str | None, typer.Option("--service", help="Only those of a service.")]
StageOption = Annotated[str | None, typer.Option("--stage", help="Only those of a stage.")]
AllOption = Annotated[
    bool, typer.Option("--all", help="All that wait for somebody, listed or not.")
]

_LISTED = 1000
_CHOICES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "code": lambda failure: [reason["code"] for reason in failure["reasons"]],
    "service": lambda failure: [failure["service"]],
    "stage": lambda failure: [failure["stage"]],
}
"""What of a failure each option names."""
_MOST = 10_000
"""As many as results tells of at once."""
_LONGEST_S = 300
"""For what is done of a hundred jobs while many others come in."""


@app.command("list")
def listing(
    code: CodeOption = None,
    service: ServiceOption = None,
    stage: StageOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """List the stages that gave up, newest first; studies that were refused are no failures.

    A service that takes in nothing more after a burst of failures is named first.
    """
    chosen = _asked(None, code, service, stage)
    found = api.results(home).get("/failures", **chosen, limit=_LISTED + 1)
    if len(found) > _LISTED:
        found = found[:_LISTED]
        typer.echo(f"the newest {_LISTED} of more: choose by code, service or stage", err=True)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for name in halted.halted(home):
        typer.echo(halted.told(name))
    if halted.is_elsewhere():
        typer.echo(halted.UNKNOWN, err=True)
    if found:
        Console(markup=False, highlight=False).print(_table(found))
    else:
        typer.echo("no failures")


@app.command()
def show(
    job: Annotated[str, typer.Argument(help="A job's id, or the beginning of one.")],
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show a job's failures with what the service said; that may quote the study's values."""
    results = api.results(home)
    found = results.get("/failures", job=api.named(job), limit=_LISTED)
    if not found:
        raise Failure(f"no stage of job {job} waits for anybody; see `clarion jobs show {job}`")
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for failure in found:
        for line in _told(failure):
            typer.echo(line)
        if failure["details"]:
            where = f"/failures/{failure['job_id']}/{failure['stage']}/details"
            typer.echo(results.text(where))


@app.command()
def replay(
    job: ChosenJob = None,
    code: CodeOption = None,
    service: ServiceOption = None,
    stage: StageOption = None,
    every: AllOption = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Compute everything anew, and take nothing over.")
    ] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Run jobs again from where they stopped: what had succeeded is taken over."""
    chosen = _asked(job, code, service, stage, every)
    _act("replay", chosen | {"fresh": fresh}, as_json, home)


@app.command()
def discard(
    job: ChosenJob = None,
    code: CodeOption = None,
    service: ServiceOption = None,
    stage: StageOption = None,
    every: AllOption = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Leave jobs' failures at that; they are listed no more."""
    chosen = _asked(job, code, service, stage, every)
    _act("discard", chosen, as_json, home)


@app.command()
def resume(
    service: Annotated[
        str | None, typer.Argument(help="A service; without it all that have halted.")
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="HOST:PORT",
            help="Where a replica of the service answers /health, when it is none of the home's. "
            "May be given several times.",
        ),
    ] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Let a service that halted after a burst of failures take in work again.

    A service answers this on its own host or container alone, or through a forwarded port.
    """
    if at and not service:
        raise typer.BadParameter("--at needs the service's name, too")
    named = [service] if service else halted.named(home)
    done = [halted.resume(name, home, at or ()) for name in named]
    if as_json:
        typer.echo(json.dumps(done, indent=1))
        return
    for each in done:
        what = "goes on" if each["resumed"] else "had not halted"
        typer.echo(f"{each['service']} {what}")
    if not done:
        typer.echo("no service has halted")


def _asked(
    job: str | None, code: str | None, service: str | None, stage: str | None, every: bool = False
) -> dict[str, Any]:
    named = {"job": job, "code": code, "service": service, "stage": stage, "all": every or None}
    return {name: value for name, value in named.items() if value is not None}


def _act(what: str, asked: dict[str, Any], as_json: bool, home: Path | None) -> None:
    """One line for each job, as it is done.

    Raises `Failure` when for one of them nothing was, or no failure is what was asked for.
    """
    done: list[dict[str, Any]] = []
    results = api.results(home, _LONGEST_S)
    for some in _portions(results, f"/failures/{what}", asked):
        done += some["jobs"]
        for each in () if as_json else some["jobs"]:
            typer.echo(_outcome(each))
        if some["next"]:
            typer.echo(f"{len(done)} jobs so far", err=True)
    if as_json:
        typer.echo(json.dumps(done, indent=1))
    named = [name for name in _CHOICES if name in asked]
    if not done and named:
        raise Failure(_instead(results, {name: asked[name] for name in named}))
    if not done and not as_json:
        typer.echo("no failures")
    left = sum(not each["done"] for each in done)
    if left:
        raise Failure(f"{left} of {len(done)} jobs were left as they are")


def _instead(results: api.Api, asked: dict[str, str]) -> str:
    """That no failure has such a code, service or stage, and which there are."""
    found = results.get("/failures", limit=_MOST)
    wanted = ", ".join(f"{name} {value}" for name, value in asked.items())
    if not found:
        return f"no failure waits with {wanted}, and none at all"
    there = (
        f"{name}s: {', '.join(sorted({each for one in found for each in _CHOICES[name](one)}))}"
        for name in asked
    )
    return f"no failure waits with {wanted}; there are {'; '.join(there)}"


def _portions(results: api.Api, path: str, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What was done, some jobs at a time: one answer for all of them might never come in time."""
    after: dict[str, str] = {}
    while True:
        some: dict[str, Any] = results.post(path, **asked, **after)
        yield some
        if not some["next"]:
            return
        after = {"after": some["next"]}


def _outcome(done: dict[str, Any]) -> str:
    if not done["done"]:
        return f"{done['job_id']}: {done['code']}: {done['detail']}"
    if done["run"]:
        return f"run {done['run']} of {done['job_id']} begins"
    return f"job {done['job_id']} is left at that"


def _told(failure: dict[str, Any]) -> list[str]:
    attempts = f"{failure['attempts']} attempts" if failure["attempts"] else "no attempt is known"
    head = f"{failure['stage']} ({failure['service']}), run {failure['run']}, {attempts}"
    reasons = [f"  {reason['code']}: {reason['text']}" for reason in failure["reasons"]]
    where = f"  {failure['exception_type'] or '-'} at {failure['place'] or '-'}"
    cause = failure["cause"]
    woken = [f"  woken by {cause['type']} {cause['id']} on {cause['topic']}"] if cause else []
    trace = f"  trace {failure['trace_id']}: clarion trace {failure['job_id'][:8]}"
    return [head, f"  failed {_moment(failure['failed_at'])}", *reasons, where, *woken, trace, ""]


def _table(found: list[dict[str, Any]]) -> Table:
    """Fits 80 columns: what is long wraps in its own column."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("when", no_wrap=True)
    table.add_column("job", no_wrap=True)
    table.add_column("stage", max_width=14, overflow="fold")
    table.add_column("service", max_width=10, overflow="fold")
    table.add_column("tries", justify="right")
    table.add_column("why")
    for failure in found:
        table.add_row(
            _moment(failure["failed_at"]),
            failure["job_id"][:8],
            failure["stage"],
            failure["service"],
            str(failure["attempts"]),
            "; ".join(f"{r['code']}: {r['text']}" for r in failure["reasons"]),
        )
    return table


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%m-%d %H:%M")
