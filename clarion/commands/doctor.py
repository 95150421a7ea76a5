"""`clarion doctor`: is everything there that the system needs, and is it well?"""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typer
import yaml
from rich.console import Console

from clarion.commands.send import OWN_AE
from clarion.destinations import delivered_to, destinations, why_not_there
from clarion.failure import explain
from clarion.home_settings import unknown_names
from clarion.load.routes import routes, stands_for
from clarion.options import HomeOption, JsonOption
from deploy.embedded import jars
from deploy.embedded.cache import InstallFailed, cache_folder
from deploy.embedded.home import Home, home_folder, open_home, require_a_port_each
from deploy.embedded.ports import can_bind
from deploy.embedded.runtime import (
    Runtime,
    installed_runtime,
    java_version,
    missing_shared_library,
    shared_library_folder,
    unsupported_platform,
)
from deploy.embedded.survivors import marked_processes
from deploy.embedded.system import is_running, parts
from services.results.settings import Destination
from shared.catalog import Catalog, load_catalog

app = typer.Typer()
_NEEDED_GB = 5
_REINSTALL = "remove .cache/clarion and run `make setup`"


@dataclass(frozen=True)
class Check:
    """One line of the diagnosis; `remedy` says what to do when it is not ok."""

    check: str
    ok: bool
    detail: str
    remedy: str = ""
    warning: bool = False
    """Nothing that stops the system, and yet to be looked at."""


@app.command()
def doctor(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Check this machine, the runtime and the system; exit 1 when something is wrong."""
    checks = list(diagnose(home))
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in checks], indent=2))
    else:
        _show(checks)
    if not all(each.ok for each in checks):
        raise typer.Exit(1)


def diagnose(home: HomeOption) -> Iterator[Check]:
    """The machine first, then what is installed, then the home and what runs in it."""
    yield from _machine()
    folder, catalog = home_folder(home), load_catalog()
    try:
        opened = open_home(folder, catalog)
        require_a_port_each(opened)
        told = destinations(opened)
    except ValueError as error:
        yield Check("settings", False, explain(error), f"correct {folder / 'settings.yaml'}")
        return
    yield Check("home", True, str(folder) if folder.exists() else f"{folder}, not made yet")
    for name, why in unknown_names(opened, catalog).items():
        yield Check(name, True, why, f"correct {folder / 'settings.yaml'}", warning=True)
    yield _disk(opened)
    yield from _titles(opened)
    yield from _deliveries(opened, told)
    try:
        runtime = installed_runtime(cache_folder())
    except InstallFailed as error:
        yield Check("runtime", False, str(error), "run `make setup`")
        return
    yield from _runtime(runtime)
    yield from _system(opened, runtime, catalog, told)


def _machine() -> Iterator[Check]:
    version = sys.version.split()[0]
    supported = (3, 11) <= sys.version_info < (3, 14)
    yield Check("python", supported, version, "make setup PYTHON=… with a Python 3.11 to 3.13")
    library = missing_shared_library()
    yield Check(
        "libpython", library is None, library or str(shared_library_folder()), library or ""
    )
    platform = unsupported_platform()
    yield Check("platform", platform is None, platform or "x86-64 Linux", platform or "")


def _disk(home: Home) -> Check:
    existing = next(each for each in (home.folder, *home.folder.parents) if each.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    remedy = f"free at least {_NEEDED_GB} GB, or choose another home with --home"
    return Check("disk", free_gb >= _NEEDED_GB, f"{free_gb:.0f} GB free at {existing}", remedy)


def _runtime(runtime: Runtime) -> Iterator[Check]:
    yield _tried("java", lambda: java_version(runtime.java), "run `make setup`")
    yield _tried("kafka", lambda: _verified(runtime), _REINSTALL)
    yield _tried("triton", lambda: _linked(runtime), _REINSTALL)


def _titles(home: Home) -> Iterator[Check]:
    """The AE titles that ingest serves; what is wrong with them is told with the pipelines."""
    try:
        served = routes(home)
    except ValueError:
        return
    for title, route in served.items():
        yield Check(f"AE title {title}", True, stands_for(route))
    if OWN_AE not in served:
        detail = "not served: `clarion demo` can't send, `clarion send` needs --to"
        remedy = f"add it to CLARION_AES in {home.folder / 'settings.yaml'}, if it is wanted"
        yield Check(f"AE title {OWN_AE}", True, detail, remedy, warning=True)


def _deliveries(home: Home, told: Mapping[str, Destination]) -> Iterator[Check]:
    """The names that pipelines deliver to against those that results is told of."""
    settings = home.folder / "settings.yaml"
    try:
        wanted = delivered_to(home)
    except (ValueError, OSError, yaml.YAMLError) as error:
        remedy = f"correct CLARION_AES in {settings}, or a definition: `clarion pipelines validate`"
        yield Check("pipelines", False, " ".join(explain(error).split()), remedy)
        return
    unused = sorted(told.keys() - wanted.keys())
    for name, pipelines in wanted.items():
        yield _delivery(name, ", ".join(pipelines), told, unused, settings)
    for name in unused:
        yield Check(f"delivery to {name}", True, "described, and no pipeline delivers there")


def _delivery(
    name: str,
    pipelines: str,
    told: Mapping[str, Destination],
    unused: Sequence[str],
    settings: Path,
) -> Check:
    """One name that pipelines deliver to; `unused` are those that none delivers to."""
    if name in told:
        return Check(f"delivery to {name}", True, f"of {pipelines}")
    detail = (
        f"objects of {pipelines} are held (unknown-destination): CLARION_DESTINATIONS describes "
        f"{', '.join(sorted(told)) or 'nothing'} and no {name}"
    )
    rename = f" (or call {' or '.join(unused)} so)" if unused else ""
    remedy = (
        f"describe {name} in CLARION_DESTINATIONS of {settings}{rename}, or change `deliver` in "
        "the pipeline; start the system again, and `clarion jobs rerun` what is held"
    )
    return Check(f"delivery to {name}", False, detail, remedy)


def _system(
    home: Home, runtime: Runtime, catalog: Catalog, told: Mapping[str, Destination]
) -> Iterator[Check]:
    """A home that is up is asked part by part; one that is down needs its ports free."""
    if is_running(home):
        for part in asyncio.run(parts(home, runtime, catalog)):
            detail = f"{part.state.lower()}, {part.why_not or 'ready'}"
            yield Check(part.name, part.ready, detail, f"see {home.logs / f'{part.name}.log'}")
        yield from _destinations(home, told)
        return
    left = marked_processes(home.folder)
    yield Check("leftovers", not left, f"{len(left)} processes left behind", "run `clarion down`")
    for name, port in home.ports.items():
        remedy = f"stop what uses it, or set ports.{name} in {home.folder / 'settings.yaml'}"
        yield Check(f"port {name}", can_bind(port), str(port), remedy)


def _destinations(home: Home, told: Mapping[str, Destination]) -> Iterator[Check]:
    """What the system delivers to, which may be anywhere."""
    settings = home.folder / "settings.yaml"
    remedy = f"deliveries wait for it: bring it up, or correct CLARION_DESTINATIONS in {settings}"
    for name, why_not in why_not_there(told):
        address = f"{told[name].ae_title}@{told[name].host}:{told[name].port}"
        detail = f"{address}, {why_not or 'answers'}"
        yield Check(f"destination {name}", why_not is None, detail, remedy)


def _verified(runtime: Runtime) -> str:
    jars.verify_jars(runtime.kafka_jars)
    return f"{len(jars.locked_jars())} jars as locked"


def _linked(runtime: Runtime) -> str:
    done = subprocess.run(  # noqa: S603
        [runtime.tritonserver, "--help"],
        env={"LD_LIBRARY_PATH": str(runtime.triton_libraries)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "tritonserver" not in done.stdout + done.stderr:
        raise InstallFailed(done.stderr.strip())
    return str(runtime.tritonserver)


def _tried(name: str, attempt: Callable[[], str], remedy: str) -> Check:
    try:
        return Check(name, True, attempt())
    except (InstallFailed, OSError, subprocess.SubprocessError) as error:
        return Check(name, False, str(error), remedy)


def _show(checks: list[Check]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for each in checks:
        mark = _mark(each)
        console.print(f"{mark}  {each.check:<24} {each.detail}")
        if (each.warning or not each.ok) and each.remedy != each.detail:
            console.print(f"        {'':<24} → {each.remedy}")


def _mark(check: Check) -> str:
    if not check.ok:
        return "[red]failed[/]"
    return "[yellow]warns [/]" if check.warning else "[green]ok    [/]"
