"""`clarion jobs`: what became of each study, and running it again."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, get_args

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from clarion import api
from clarion.options import HomeOption, JobArgument, JsonOption
from clarion.sheet import Listing, screen
from clarion.statuses import coloured
from services.results.progress import JobStatus
from services.writers.wording import WARNINGS
from shared.events.models import Lane
from shared.identity import case_id

app = typer.Typer(name="jobs", help="What became of each study, and running it again.")

_WATCH_S = 1.0
_WHOLE = "study"
"""The group of a case that is a whole study, not one series of it."""
_WORTH_A_WORD = timedelta(minutes=1)
_NO_JOBS = "no jobs"
_WHY_NONE = (
    "; a study of which the pipeline admits no image is acknowledged and makes none "
    "(docs/operations.md, Looking)"
)


@app.callback(invoke_without_command=True)
def jobs(
    context: typer.Context,
    as_json: JsonOption = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Go on until Ctrl-C; with --json a line for each change."),
    ] = False,
    status: Annotated[
        JobStatus | None,
        typer.Option(
            metavar="STATUS", help=f"Only jobs that stand so: {', '.join(get_args(JobStatus))}."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(help="The newest so many.", min=1)] = 50,
    study: Annotated[
        str | None,
        typer.Option(metavar="UID", help="Only jobs of the whole study with this UID."),
    ] = None,
    undelivered: Annotated[
        bool,
        typer.Option("--undelivered", help="Only jobs of which a delivery waits or was not taken."),
    ] = False,
    home: HomeOption = None,
) -> None:
    """List the jobs, newest first."""
    if context.invoked_subcommand:
        return
    asked: dict[str, Any] = {"limit": limit} | ({"status": status} if status else {})
    asked |= {"undelivered": True} if undelivered else {}
    looked_for = partial(_found, api.results(home), asked, study)
    none = _NO_JOBS + (_WHY_NONE if study else "")
    if as_json and watch:
        _stream(looked_for)
    elif as_json:
        typer.echo(json.dumps(looked_for(), indent=1))
    elif watch:
        _watch(lambda: _listing(looked_for()) or none)
    else:
        screen().print(_listing(looked_for()) or none)


@app.command()
def show(job: JobArgument, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Show a job: why, what was made, where it lies and where it was delivered."""
    found = api.results(home).get(api.of_job(job))
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        people = screen()
        people.print(_job(found))
        for output in found["outputs"]:
            people.print(f"{output['name']}: {output['path'] or '-'}", soft_wrap=True)


@app.command()
def rerun(
    job: JobArgument,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Compute everything anew, and take nothing over.")
    ] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Run a finished job again; what its destinations have is not sent again."""
    begun = api.results(home).post(api.of_job(job, "rerun"), fresh=fresh)
    told = f"run {begun['run']} of {begun['job_id']} begins"
    typer.echo(json.dumps(begun, indent=1) if as_json else told)


@app.command()
def cancel(job: JobArgument, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """End a running job; nothing of it is delivered."""
    ended = api.results(home).post(api.of_job(job, "cancel"))
    told = f"run {ended['run']} of {ended['job_id']} is cancelled"
    typer.echo(json.dumps(ended, indent=1) if as_json else told)


@app.command()
def lane(
    job: JobArgument,
    lane: Annotated[Lane, typer.Argument(help="How urgent it is from now on.")],
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Have a job's queued work, its deliveries and its later runs go by another lane."""
    moved = api.results(home).post(api.of_job(job, "lane"), lane=lane.value)
    told = f"job {moved['job_id']} goes by the lane {moved['lane']}"
    typer.echo(json.dumps(moved, indent=1) if as_json else told)


def _found(results: api.Api, asked: dict[str, Any], study: str | None) -> list[dict[str, Any]]:
    """The jobs asked for. Results keeps no StudyInstanceUID; the id of a case follows from it."""
    if study:
        cases = [case_id(pipeline, study, _WHOLE) for pipeline in results.get("/pipelines")]
        if not cases:
            return []
        asked = asked | {"case_id": cases}
    jobs: list[dict[str, Any]] = results.get("/jobs", **asked)
    return jobs


def _watch(looked_for: Callable[[], RenderableType]) -> None:
    with Live(console=screen(), auto_refresh=False) as shown:
        while True:
            shown.update(looked_for(), refresh=True)
            time.sleep(_WATCH_S)


def _stream(looked_for: Callable[[], list[dict[str, Any]]]) -> None:
    """The whole list as a line, at first and whenever it is another."""
    told = None
    while True:
        if (line := json.dumps(looked_for())) != told:
            typer.echo(line)
            told = line
        time.sleep(_WATCH_S)


def _listing(found: list[dict[str, Any]]) -> Listing | None:
    """None without a job."""
    rows = [
        {
            "received": _moment(job["received_at"]),
            "job": job["job_id"][:8],
            "v": str(job["version"]),
            "run": str(job["run"]),
            "lane": job["lane"],
            "pipeline": job["pipeline"],
            "status": coloured(job["status"]),
            "sent": _delivered(job["deliveries"]),
            "why": _why(job),
        }
        for job in found
    ]
    fewer = ("received", "job", "pipeline", "status", "sent", "why")
    return Listing(tuple(rows[0]), fewer, rows) if rows else None


def _job(job: dict[str, Any]) -> Group:
    columns = Column(no_wrap=True), Column(overflow="fold")
    head = Table(*columns, box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("job_id", "case_id", "version", "supersedes", "run", "pipeline", "lane"):
        head.add_row(name, str(job[name] if job[name] is not None else "-"))
    if newer := job.get("superseded_by"):
        head.add_row("superseded by", newer)
    head.add_row("status", coloured(job["status"]))
    head.add_row("received", _zoned(job["received_at"]))
    head.add_row("finished", _zoned(job["finished_at"]))
    head.add_row("trace", job["trace_id"])
    for reason in job["reasons"]:
        head.add_row("reason", f"{reason['code']}: {reason['text']}")
    for holder in job.get("waits_for", ()):
        since = f"{holder['stage']} ({holder['service']}) since {_zoned(holder['since'])}"
        head.add_row("waits for", since)
    for warning in job["warnings"]:
        head.add_row("warning", _warning(warning))
    for stack in job["selection"]:
        head.add_row("chosen" if stack["chosen"] else "passed over", _stack(stack))
    return Group(head, "", _stages(job["stages"]), "", _outputs(job["outputs"]), "")


def _warning(code: str) -> str:
    return f"{code}: {WARNINGS[code]}" if code in WARNINGS else code


def _stages(stages: list[dict[str, Any]]) -> Listing:
    whole = ("stage", "service", "status", "attempts", "seconds", "model", "why")
    fewer = ("stage", "status", "attempts", "seconds", "model, why")
    return Listing(whole, fewer, [_stage(stage) for stage in stages])


def _stage(stage: dict[str, Any]) -> dict[str, str | Text]:
    model = _model(stage.get("model"))
    why = ", ".join(reason["code"] for reason in stage["reasons"])
    return {
        "stage": stage["stage"],
        "service": stage["service"],
        "status": coloured(stage["status"]),
        "attempts": str(stage["attempts"] or "-"),
        "seconds": _seconds(stage["started_at"], stage["finished_at"]),
        "model": model,
        "why": why,
        "model, why": "\n".join(filter(None, (model, why))),
    }


def _model(model: dict[str, str] | None) -> str:
    """Name, version, and the beginning of the weights' digest."""
    return f"{model['name']} {model['version']} ({model['sha256'][:8]})" if model else ""


def _outputs(outputs: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("output", "kind"):
        table.add_column(name, no_wrap=True)
    table.add_column("delivered to", overflow="fold")
    for output in outputs:
        sent = (_delivery(delivery) for delivery in output["deliveries"])
        table.add_row(output["name"], output["kind"], Text("\n").join(sent))
    return table


def _delivery(delivery: dict[str, Any]) -> Text:
    line = Text(f"{delivery['destination']} ")
    line.append(coloured(delivery["status"]))
    if delivery["attempts"] > 1:
        line.append(f", attempt {delivery['attempts']}")
    if delivery["last_error"]:
        line.append(f", {delivery['last_error']}")
    if again := delivery.get("next_attempt_at"):
        line.append(f", next attempt {_zoned(again)}")
    if delivery["committed"] is not None:
        line.append(", committed" if delivery["committed"] else ", commitment refused")
    return line


def _stack(stack: dict[str, Any]) -> str:
    return f"{stack['stack']}: {stack['reason']}"


def _why(job: dict[str, Any]) -> str:
    """The codes of its reasons, and what keeps its outputs from their destinations."""
    told = [reason["code"] for reason in job["reasons"]]
    if quiet := _quiet(job.get("last_news")):
        told.append(f"no progress for {quiet}: see jobs show")
    if job["finished_at"]:
        undelivered = {name: job["deliveries"].get(name) for name in ("waiting", "held", "failed")}
        if some := ", ".join(f"{count} {name}" for name, count in undelivered.items() if count):
            told.append(f"{some}: see jobs show")
    return ", ".join(told)


def _quiet(last_news: str | None) -> str | None:
    """For how long nothing was heard of a running job, once that is worth a word."""
    if not last_news:
        return None
    waited = datetime.now(UTC) - datetime.fromisoformat(last_news)
    return f"{waited.total_seconds() // 60:.0f} min" if waited >= _WORTH_A_WORD else None


def _delivered(counts: dict[str, int]) -> str:
    total = sum(counts.values())
    return f"{counts.get('delivered', 0)}/{total}" if total else "-"


def _moment(text: str | None) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%m-%d %H:%M:%S") if text else "-"


def _zoned(text: str | None) -> str:
    """With the zone, as the reports have it: 01-15 12:00:00 UTC+01:00."""
    if not text:
        return _moment(text)
    zone = datetime.fromisoformat(text).astimezone().strftime("%z")
    return f"{_moment(text)} UTC{zone[:3]}:{zone[3:5]}"


def _seconds(start: str | None, end: str | None) -> str:
    if not start or not end:
        return "-"
    return f"{(datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds():.2f}"
