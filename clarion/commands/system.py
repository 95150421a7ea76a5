"""`clarion up` and `clarion down`: the embedded system in its home."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from clarion.destinations import destinations
from clarion.failure import Failure
from clarion.home_settings import unknown_names
from clarion.load.routes import routes
from clarion.options import HomeOption
from clarion.own_pacs import is_own
from deploy.embedded.cache import cache_folder
from deploy.embedded.home import (
    Home,
    create_home,
    home_folder,
    open_home,
    require_a_port_each,
)
from deploy.embedded.runtime import installed_runtime
from deploy.embedded.system import Progress, bring_down, bring_up, require_free_ports
from shared.catalog import Catalog, load_catalog
from shared.events.models import Lane

app = typer.Typer()
_console = Console(highlight=False)


@app.command()
def up(
    home: HomeOption = None,
    detach: Annotated[bool, typer.Option(help="Return when everything is ready.")] = False,
    any_ports: Annotated[
        bool, typer.Option(help="A new home takes ports that are free, not the usual ones.")
    ] = False,
    wait: Annotated[float, typer.Option(help="Seconds until a part counts as not started.")] = 120,
) -> None:
    """Start the whole system; without --detach it runs until Ctrl-C."""
    catalog = load_catalog()
    runtime = installed_runtime(cache_folder())
    opened = prepared_home(home_folder(home), catalog, any_ports)
    asyncio.run(bring_up(opened, runtime, catalog, told(_console), wait))
    show_addresses(opened, _console)
    if not detach:
        asyncio.run(_until_told_to_stop())
        asyncio.run(bring_down(opened, told(_console)))


@app.command()
def down(home: HomeOption = None) -> None:
    """Stop the system; nothing of it is left running."""
    folder = home_folder(home)
    asyncio.run(bring_down(open_home(folder, load_catalog()), told(_console)))


def prepared_home(folder: Path, catalog: Catalog, any_ports: bool) -> Home:
    """The home, made where there is none, with destinations and AE titles that can be read.

    Raises Failure where it can't be made, ValueError for settings that are wrong, NotStarted where
    the usual ports, which a new home would have, are in use.
    """
    settings = folder / "settings.yaml"
    try:
        is_new = not settings.exists()
        if is_new and not any_ports:
            require_free_ports(open_home(folder, catalog))
        opened = create_home(folder, catalog, any_ports)
    except OSError as error:
        raise Failure(
            f"home-not-made: no home can be made at {folder} ({error.strerror or error}); "
            "name a folder that you may write to with --home"
        ) from None
    if any_ports and not is_new:
        typer.echo(f"--any-ports is for a new home: this one keeps those of {settings}", err=True)
    require_a_port_each(opened)
    destinations(opened)
    routes(opened)
    for name, why in unknown_names(opened, catalog).items():
        typer.echo(f"{settings}: {name}: {why}", err=True)
    return opened


def told(console: Console) -> Progress:
    """Prints a line for each part, with the seconds since now."""
    started = time.monotonic()

    def tell(part: str, what: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {part:<12} {what}")

    return tell


def show_addresses(home: Home, console: Console) -> None:
    """Where people and senders turn to, and where objects go."""
    _tell(console, "console", f"http://{home.local('console.http')}/")
    for title, route in routes(home).items():
        lane = f"lane {route.lane}" if route.lane != Lane.ROUTINE else ""
        _tell(console, "receives at", f"{title}@{home.local('ingest.dicom')}", lane)
    for name, each in destinations(home).items():
        whose = "the home's own receiving PACS" if is_own(home, each) else name
        _tell(console, "delivers to", f"{each.ae_title}@{each.host}:{each.port}", whose)
    _tell(console, "home", str(home.folder))


def _tell(console: Console, label: str, what: str, more: str = "") -> None:
    line = Text.assemble(f"{label:<12} ", (what, "bold"), f"  {more}".rstrip())
    console.print(line, soft_wrap=True)


async def _until_told_to_stop() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
