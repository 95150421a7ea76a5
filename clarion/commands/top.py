"""`clarion top`: what the system does now, from the snapshots of statistics, and who halted."""

import json
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from clarion import api
from clarion.figures import Cut, screen
from clarion.halted import halted
from clarion.options import HomeOption, JsonOption

app = typer.Typer()
_LOOK_S = 2.0


@app.command()
def top(
    once: Annotated[bool, typer.Option("--once", help="Print it once, and end.")] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show rates, latencies, backlogs, senders, alerts and halted services, until Ctrl-C.

    A sender is the calling AE title where ingest's CLARION_CALLERS lists it, else the called one.
    """
    statistics = api.statistics(home)

    def look() -> dict[str, Any]:
        return {**statistics.get("/snapshot"), "halted": halted(home)}

    if as_json:
        typer.echo(json.dumps(look(), indent=1))
    elif once:
        Console(markup=False, highlight=False).print(screen(look()))
    else:
        _watch(look)


def _watch(look: Callable[[], dict[str, Any]]) -> None:
    console = Console(markup=False, highlight=False)
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            live.update(Cut(screen(look())), refresh=True)
            time.sleep(_LOOK_S)
