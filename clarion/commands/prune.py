"""`clarion prune`: room on the disk, from jobs that ended long ago."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from clarion import api
from clarion.options import HomeOption, JsonOption

app = typer.Typer()

_SUMMED = ("jobs", "payloads", "bytes")
_LONGEST_S = 900
"""For one answer: the whole ledger is read."""
_DAYS = {"d": 1, "w": 7}
_WHY = {
    "running-or-recent": "running, or ended later",
    "failure-not-discarded": "failed; see `clarion failures list`",
    "not-announced": "not all of it is published yet",
    "not-delivered": "something has not reached its destination",
    "not-confirmed": "the destination has not confirmed it",
}


@app.command()
def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Since jobs ended: 30d, 4w.")
    ] = "30d",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")
    ] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Remove the volumes, masks and objects that old jobs made; the list of jobs keeps them all.

    What came in stays, so that each can be run again. So does what is not
    delivered, not confirmed by its destination, or failed, until
    `clarion failures discard`.
    """
    days = _days(older_than)
    pruned = _all(api.results(home, _LONGEST_S), days, dry_run)
    if as_json:
        typer.echo(json.dumps(pruned, indent=1))
        return
    for line in _told(pruned):
        typer.echo(line)


def _days(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    if unit not in _DAYS or not number.isdecimal() or not int(number):
        raise typer.BadParameter("say 30d for thirty days, or 4w for four weeks")
    return int(number) * _DAYS[unit]


def _told(pruned: dict[str, Any]) -> Iterator[str]:
    what = "would be pruned" if pruned["dry_run"] else "pruned"
    size = f"{pruned['payloads']} payloads, {pruned['bytes'] / 1e6:.1f} MB"
    yield f"{len(pruned['jobs'])} jobs {what}: {size}"
    for why, many in pruned["kept"].items():
        yield f"{many} as old stay: {_WHY.get(why, why)}"


def _all(results: api.Api, days: int, dry_run: bool) -> dict[str, Any]:
    """As many rounds as there are jobs to ask, each telling how far it has come."""
    found: dict[str, Any] = {"jobs": [], "payloads": 0, "bytes": 0}
    kept = Counter[str]()
    after: dict[str, str] = {}
    while True:
        some = results.post("/prune", older_than_days=days, dry_run=dry_run, **after)
        kept.update(some["kept"])
        found = some | {name: found[name] + some[name] for name in _SUMMED} | {"kept": dict(kept)}
        if not some["next"]:
            return found
        after = {"after": some["next"]}
        typer.echo(f"{len(found['jobs'])} jobs so far", err=True)
