"""`clarion failures`: what the system failed to do, and trying it again."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from clarion import api
from clarion.failure import Failure
from clarion.options import HomeOption, JobArgument, JsonOption

app = typer.Typer(
    name="failures", help="Stages that gave up: look, try again, or leave it.", no_args_is_help=True
)


@app.command("list")
def listing(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """List the stages that gave up, newest first; studies that were refused are no failures."""
    found = api.results(home).get("/failures")
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        Console(markup=False, highlight=False).print(_table(found))


@app.command()
def show(job: JobArgument, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Show a job's failures with what the service said; that may quote the study's values."""
    results = api.results(home)
    whole = results.get(f"/jobs/{job}")["job_id"]
    found = [each for each in results.get("/failures") if each["job_id"] == whole]
    if not found:
        raise Failure(f"no stage of job {whole} waits for anybody; see `clarion jobs show {job}`")
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for failure in found:
        where = f"{failure['exception_type'] or '-'} at {failure['place'] or '-'}"
        typer.echo(f"{failure['stage']} ({failure['service']}), {failure['attempts']} attempts")
        for reason in failure["reasons"]:
            typer.echo(f"  {reason['code']}: {reason['text']}")
        typer.echo(f"  {where}\n")
        if failure["details"]:
            typer.echo(Path(failure["details"]).read_text(errors="replace"))


@app.command()
def replay(
    job: JobArgument,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Compute everything anew, and take nothing over.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Run the job again: what had succeeded is taken over, what had failed is tried."""
    begun = api.results(home).post(f"/jobs/{job}/rerun", fresh=fresh)
    typer.echo(f"run {begun['run']} of {begun['job_id']} begins")


@app.command()
def discard(job: JobArgument, home: HomeOption = None) -> None:
    """Leave a job's failures at that; they are listed no more."""
    left = api.results(home).post(f"/jobs/{job}/discard")
    typer.echo(f"job {left['job_id']} stays {left['status']}")


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table(box=None)
    for name in ("job", "run", "stage", "service", "attempts"):
        table.add_column(name, no_wrap=True)
    table.add_column("why")
    for failure in found:
        table.add_row(
            failure["job_id"][:8],
            str(failure["run"]),
            failure["stage"],
            failure["service"],
            str(failure["attempts"]),
            ", ".join(reason["code"] for reason in failure["reasons"]),
        )
    return table
