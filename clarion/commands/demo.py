"""`clarion demo`: a chest CT through the whole system."""

import asyncio
import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from clarion import api, findings
from clarion.commands.send import own_target, send_files
from clarion.commands.system import prepared_home, told
from clarion.demo_study import Study, keep, next_study
from clarion.failure import Failure
from clarion.following import Job, follow, shortcomings
from clarion.options import HomeOption, JsonOption
from clarion.own_pacs import require_own_pacs
from clarion.statuses import coloured
from clarion.storage import Target
from clarion.way import show
from deploy.embedded.cache import cache_folder
from deploy.embedded.home import Home, default_ports, home_folder
from deploy.embedded.ports import can_bind
from deploy.embedded.runtime import Runtime, installed_runtime
from deploy.embedded.system import bring_down, bring_up, is_running, parts
from shared.catalog import Catalog, load_catalog
from shared.events.models import Lane

app = typer.Typer()

_UP_S, _JOB_S = 120.0, 180.0
_PROBE_S = 0.3


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop the system afterwards.")] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Send an invented chest CT through the whole system, and show its way and the results.

    Starts the system where it is down, and leaves it up. Refuses where it delivers to anything but
    its own receiving PACS: no other is to get an invented patient. Each demo sends another patient,
    in the same order in every home. Exit 1 when the study did not go all its way.
    """
    begun = time.monotonic()
    screen = Console(stderr=as_json, highlight=False)
    catalog = load_catalog()
    opened = _home(home_folder(home), catalog, screen)
    require_own_pacs(opened)
    target = own_target(opened.folder)
    try:
        drawn = asyncio.run(_prepare(opened, installed_runtime(cache_folder()), catalog, screen))
        study = _send(target, drawn, screen)
        job = show(screen, follow(api.results(opened.folder), study.case_id, _JOB_S))
        seconds = time.monotonic() - begun
        _show_results(opened, study, job, seconds, once, screen)
        if as_json:
            typer.echo(json.dumps(_summary(opened, study, job, seconds), indent=1))
    finally:
        if once:
            asyncio.run(bring_down(opened, told(screen)))
    if missed := shortcomings(job, _JOB_S):
        raise Failure("the study did not go all its way: " + "; ".join(missed))


def _home(folder: Path, catalog: Catalog, screen: Console) -> Home:
    """A home that is new takes other ports where the usual ones are in use."""
    is_new = not (folder / "settings.yaml").exists()
    taken = [port for port in default_ports(catalog).values() if is_new and not can_bind(port)]
    if taken:
        used = ", ".join(map(str, taken))
        screen.print(f"ports in use by other programs: {used}; this home takes others")
    return prepared_home(folder, catalog, any_ports=bool(taken))


async def _prepare(home: Home, runtime: Runtime, catalog: Catalog, screen: Console) -> Study:
    """The system comes up while the study is drawn."""
    screen.rule("[bold]the system[/]", align="left", style="dim")
    drawing = asyncio.create_task(asyncio.to_thread(next_study, home.folder / "demo"))
    if is_running(home):
        await _until_ready(home, runtime, catalog)
        screen.print("up already, every part ready")
    else:
        await bring_up(home, runtime, catalog, told(screen), _UP_S)
    return await drawing


async def _until_ready(home: Home, runtime: Runtime, catalog: Catalog) -> None:
    until = time.monotonic() + _UP_S
    while missing := [each for each in await parts(home, runtime, catalog) if not each.ready]:
        if time.monotonic() > until:
            named = "; ".join(f"{each.name}: {each.why_not}" for each in missing)
            raise Failure(f"the system is up, but not ready ({named}); see `clarion doctor`")
        await asyncio.sleep(_PROBE_S)


def _send(target: Target, study: Study, screen: Console) -> Study:
    screen.rule("[bold]the study[/]", align="left", style="dim")
    sent = send_files([study.folder], target, Lane.ROUTINE)
    if sent.refused:
        raise Failure(f"not stored: {sent.refused[0].meaning} (status {sent.refused[0].status})")
    screen.print(
        f"{study.patient}, {study.images} images, {sent.size / 1e6:.1f} MB, stored at "
        f"{sent.target} in {sent.seconds:.1f} s",
        soft_wrap=True,
    )
    return keep(study)


def _show_results(
    home: Home, study: Study, job: Job | None, seconds: float, once: bool, screen: Console
) -> None:
    if job is None:
        return
    screen.rule("[bold]the results[/]", align="left", style="dim")
    for line in _found(job):
        screen.print(line)
    for output in job["outputs"]:
        sent = [Text.assemble(", ", coloured(each["status"])) for each in output["deliveries"]]
        screen.print(Text.assemble((output["name"], "bold"), f" ({output['kind']})", *sent))
        screen.print(f"  [dim]{output['path']}[/]", soft_wrap=True)
    screen.print("[dim]Research use only. Not for diagnosis; models trained on phantoms.[/]")
    screen.rule(f"[bold]{seconds:.0f} s[/]", align="left", style="dim")
    if not once:
        for name, what in _hints(home, study, job).items():
            screen.print(f"{name:<22} {what}", soft_wrap=True)


def _found(job: Job) -> list[str]:
    lines = [
        f"{f'probability {name}':<26} [bold]{value:.3f}[/]"
        for name, value in findings.probabilities(job).items()
    ]
    measured = findings.measurement(job)
    if measured and measured.whole.ratio_percent is not None:
        whole = measured.whole
        lines.append(
            f"{'lesion-to-lung ratio':<26} [bold]{whole.ratio_percent:.1f} %[/]  "
            f"({whole.lesion_ml:.0f} of {whole.lung_ml:.0f} ml)"
        )
    return lines


def _hints(home: Home, study: Study, job: Job) -> dict[str, str]:
    clarion = ".venv/bin/clarion"
    named = "" if home.folder == home_folder(None) else f" --home {home.folder}"
    short = job["job_id"][:8]
    return {
        "console": f"http://{home.local('console.http')}/",
        "the job": f"{clarion} jobs show {short}{named}",
        "its trace": f"{clarion} trace {short}{named}",
        "the images sent": str(study.folder),
        "what the PACS received": str(home.received),
        "stop": f"{clarion} down{named}",
    }


def _summary(home: Home, study: Study, job: Job | None, seconds: float) -> dict[str, Any]:
    return {
        "job": job,
        "home": str(home.folder),
        "console": f"http://{home.local('console.http')}/",
        "study": str(study.folder),
        "elapsed_s": round(seconds, 2),
    }
