"""`clarion trace JOB`: the way of one job, from association to delivery."""

import json
import sys
from typing import Annotated

import typer
from rich.console import Console

from clarion import api
from clarion.options import HomeOption, JsonOption
from clarion.waterfall import waterfall

app = typer.Typer()
_PIPED = 160
"""Columns where nobody's terminal says how many."""


@app.command()
def trace(
    job: Annotated[str, typer.Argument(help="A job's id, or the beginning of one.")],
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Draw the way of a job through every service, and into Triton, as a waterfall.

    Quiet time, for which ingest waits on purpose, is folded out of the picture.
    """
    trace_id = api.results(home).get(api.of_job(job))["trace_id"]
    found = api.console(home).get(f"/api/traces/{trace_id}")
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    screen = Console(width=None if sys.stdout.isatty() else _PIPED)
    screen.print(waterfall(found["spans"], width=max(8, screen.width - 72)))
    screen.print(
        f"trace {found['trace_id']}: {len(found['spans'])} spans, "
        f"{found['covered']:.1%} of the job's time inside leaf spans, quiet time excluded"
    )
