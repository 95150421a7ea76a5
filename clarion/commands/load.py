"""`clarion load`: many studies through the system of this machine, and what became of each."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from rich.console import Console

from clarion.homes import asked
from clarion.load import session, system
from clarion.load.arrivals import PROFILES, at_once, by_chance, parse_rate
from clarion.load.plan import FAULTS, Order, orders
from clarion.load.report import Report
from clarion.load.running import interruptible
from clarion.load.search import Found, search
from clarion.load.session import RECIPES, Kind, Session
from clarion.load.shares import parse_shares
from clarion.load.studies import Source
from clarion.load.view import picture, verdict
from clarion.options import HomeOption, JsonOption
from clarion.own_pacs import require_own_pacs
from deploy.embedded.home import Home
from shared.events.models import Lane

app = typer.Typer(rich_markup_mode="rich")

_FAULT_SHARE = 0.1
_FIRST_PER_H = 120.0
_INTERRUPTED = 130
_EXAMPLES = """
[bold]Examples[/]

clarion load                                      ten small phantoms, as fast as they go

clarion load --studies 100 --rate 300/h           at chance moments, 300 an hour on average

clarion load --profile hospital-hour --rate 1000/h   the hospital's mix, four times as fast

clarion load --from scans --shuffle --studies 50  your own studies, with new UIDs each time

clarion load --rate 120/h --lanes stat=0.2 --faults all   some urgent, and clumsy senders

clarion load --capacity --p95 60                  the highest rate with a p95 of 60 s at most

Ctrl-C sends no more and waits for what was sent; a second one does not wait.
"""


def _lanes(text: str) -> dict[str, float]:
    return dict(_read(parse_shares, text, [str(lane) for lane in Lane]))


def _faults(text: str) -> dict[str, float]:
    names = [str(fault) for fault in FAULTS]
    if text == "all":
        return dict.fromkeys(names, _FAULT_SHARE)
    return dict(_read(parse_shares, text, names))


def _rate(text: str) -> float:
    return float(_read(parse_rate, text))


def _read(parse: Any, text: str, *arguments: Any) -> Any:
    try:
        return parse(text, *arguments)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command(epilog=_EXAMPLES)
def load(
    studies: Annotated[
        int | None, typer.Option(min=1, help="How many; else 10, or those of the profile.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            parser=_rate,
            metavar="N/UNIT",
            help="300/h, 5/min or 0.1/s, at chance moments; "
            "without one as fast as the senders are. With --capacity: where to begin.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="hospital-hour: 250 studies an hour, of which 30 are CT; the "
            "other modalities are to be acknowledged and to make no job.",
        ),
    ] = None,
    phantoms: Annotated[
        str, typer.Option(metavar="|".join(RECIPES), help="Invented patients, of this size.")
    ] = "SMALL",
    folders: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            exists=True,
            metavar="FOLDER",
            help="Instead, the studies of this folder, "
            "each time with new UIDs and another patient. May be given several times.",
        ),
    ] = None,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Studies of the folders by chance, not in turn.")
    ] = False,
    lanes: Annotated[
        Any,
        typer.Option(
            parser=_lanes,
            metavar="LANE=SHARE,…",
            help="stat=0.1,routine=0.6,bulk=0.3: through "
            "the called AE title's lane, stat also through the priority of C-STORE.",
        ),
    ] = "routine=1",
    faults: Annotated[
        Any,
        typer.Option(
            parser=_faults,
            metavar="FAULT=SHARE,…|all",
            help=f"Senders that misbehave: {', '.join(FAULTS)}. all: a tenth of each.",
        ),
    ] = None,
    senders: Annotated[int, typer.Option(min=1, max=64, help="Studies sent at once.")] = 4,
    capacity: Annotated[
        bool, typer.Option("--capacity", help="Find the highest rate that holds, and its limit.")
    ] = False,
    p95: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="With --capacity: end to end.")
    ] = 60.0,
    step: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="With --capacity: of each step.")
    ] = 40.0,
    drain: Annotated[
        float,
        typer.Option(
            min=1, metavar="SECONDS", help="How long nothing may end before the rest is lost."
        ),
    ] = 180.0,
    seed: Annotated[int, typer.Option(min=0, help="Same moments, lanes, faults, anatomy.")] = 0,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the JSON there, too.")
    ] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Put load on this machine's own system: send studies, follow each, and give the figures.

    Refuses where the system delivers to anything but its own receiving PACS: no other is to get
    invented patients. Exit 1 when a study that was acknowledged has no finished job
    (lost), when a job did not complete (studies --from folders may be refused), when the PACS
    got an output twice, or when a study was not stored.
    """
    if phantoms not in RECIPES or profile not in (None, *PROFILES):
        raise typer.BadParameter(f"phantoms: {', '.join(RECIPES)}; profile: {', '.join(PROFILES)}")
    if folders and profile:
        raise typer.BadParameter("a profile draws its studies; it takes none --from folders")
    if capacity and profile:
        raise typer.BadParameter("--capacity is of studies that make a job; a profile has others")
    opened = asked(home)
    system.require_up(opened)
    require_own_pacs(opened)
    screen = Console(stderr=True, highlight=False)
    hour = PROFILES[profile] if profile else None
    kind = Kind(lanes, faults or {}, hour, shuffle, recorded=bool(folders))
    sources = (
        _of_folders(folders, opened, kind, screen, only_admitted=capacity)
        if folders
        else session.phantoms(phantoms, seed, screen)
    )
    mix, chance = kind.mix(len(sources)), Random(seed)  # noqa: S311  it decides no secret
    with (
        interruptible() as interrupts,
        session.opened(opened, kind, sources, senders, drain, screen, interrupts) as ready,
    ):
        if capacity:
            first = rate * 3600 if rate else _FIRST_PER_H
            _finish_search(
                _watched(search(ready, mix, first, step, p95, chance), screen), report, as_json
            )
            return
        per_s = rate or (kind.profile.per_s if kind.profile else None)
        count = studies or (kind.profile.total if kind.profile else 10)
        moments = by_chance(per_s, chance) if per_s else at_once()
        _finish(_ran(ready, orders(moments, range(count), mix, chance), count), report, as_json)


def _of_folders(
    paths: list[Path], opened: Home, kind: Kind, screen: Console, *, only_admitted: bool
) -> tuple[Source, ...]:
    """The studies of the folders; those that no pipeline admits are told, where they stay out."""
    found = session.folders(paths)
    if not only_admitted:
        return found
    admitted = session.admitted(opened, kind, found)
    if out := len(found) - len(admitted):
        screen.print(f"left out: {out} of {len(found)} studies, which no pipeline admits")
    return admitted


def _ran(ready: Session, planned: Iterator[Order], count: int) -> Report:
    return ready.run(planned, count, f"{count} studies to {ready.home.folder}")


def _finish(done: Report, path: Path | None, as_json: bool) -> None:
    _give(done.to_json(), path, as_json)
    if not as_json:
        Console(highlight=False).print(picture(done))
    _complain((*done.verdict.faults, *(f"not-stored: {why}" for why in done.sending.not_stored)))
    if not as_json:
        Console(highlight=False).print(verdict(done), style="bold", markup=False, soft_wrap=True)
    if done.interrupted:
        raise typer.Exit(_INTERRUPTED)
    if not done.ok:
        raise typer.Exit(1)


def _watched(steps: Iterator[Found], screen: Console) -> Found:
    """The last state of a search; each step is told as it ends."""
    found = None
    for found in steps:
        if found.steps and not found.interrupted:
            step = found.steps[-1]
            p95 = "-" if step.p95_s is None else f"{step.p95_s:.1f} s"
            long = f" for {step.lasted_s / 60:.1f} min" if step.confirms else ""
            verdict = f"[green]holds{long}[/]" if step.held else f"[red]{step.why_not}[/]"
            screen.print(f"{step.per_h:7.0f}/h  {step.studies:4} studies  p95 {p95:>8}  {verdict}")
    if found is None:
        _complain(("interrupted: nothing was measured",))
        raise typer.Exit(_INTERRUPTED)
    return found


def _finish_search(found: Found, path: Path | None, as_json: bool) -> None:
    _give(found.to_json(), path, as_json)
    limit = found.limit()
    if not as_json:
        screen = Console(highlight=False)
        screen.print(_held(found))
        if limit:
            screen.print(f"limited by [bold]{limit.code}[/]:")
            for line in limit.evidence:
                screen.print(f"  {line}", soft_wrap=True)
    _complain(found.faults)
    if found.interrupted:
        raise typer.Exit(_INTERRUPTED)
    if found.faults or not found.best:
        raise typer.Exit(1)


def _held(found: Found) -> str:
    if held := found.best:
        long = f"{held.lasted_s / 60:.1f} min" if held.confirms else "a short step, not confirmed"
        rate = f"[bold]{held.per_h:.0f} studies an hour[/]"
        return f"holds {rate}, p95 ≤ {found.limit_s:g} s, for {long}"
    if lowest := found.lowest_failed:
        return f"[bold]no rate holds[/], at {lowest.per_h:.0f} an hour: {lowest.why_not}"
    return "no rate was tried to its end"


def _give(content: Mapping[str, Any], path: Path | None, as_json: bool) -> None:
    text = json.dumps(content, indent=1)
    if path:
        path.write_text(text + "\n")
    if as_json:
        typer.echo(text)


def _complain(lines: tuple[str, ...]) -> None:
    for line in lines:
        typer.echo(f"clarion: {line}", err=True)
