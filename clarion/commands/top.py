"""`clarion top`: what the system does now, from the snapshots of statistics."""

import json
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from clarion import api
from clarion.figures import screen
from clarion.options import HomeOption, JsonOption

app = typer.Typer()
_LOOK_S = 2.0


@app.command()
def top(
    once: Annotated[bool, typer.Option("--once", help="Print it once, and end.")] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show rates, latencies, backlogs, senders and alerts, until Ctrl-C."""
    statistics = api.statistics(home)
    if as_json:
        typer.echo(json.dumps(statistics.get("/snapshot"), indent=1))
    elif once:
        Console(markup=False, highlight=False).print(screen(statistics.get("/snapshot")))
    else:
        _watch(statistics)


def _watch(statistics: api.Api) -> None:
    console = Console(markup=False, highlight=False)
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            live.update(screen(statistics.get("/snapshot")), refresh=True)
            time.sleep(_LOOK_S)
