"""`clarion prune`: room on the disk, from jobs that ended long ago."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from clarion import api
from clarion.options import HomeOption, JsonOption

app = typer.Typer()

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
    """Remove images, volumes, masks and objects of old jobs; the list of jobs keeps them all.

    What is not delivered, not confirmed by its destination, or failed unseen stays.
    """
    days = _days(older_than)
    pruned = _all(api.results(home), days, dry_run)
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
    size = f"{pruned['payloads']} payloads, {pruned['bytes'] / 1e6:.1f} MB, and their images"
    yield f"{len(pruned['jobs'])} jobs {what}: {size}"
    for why, many in pruned["kept"].items():
        yield f"{many} as old stay: {_WHY.get(why, why)}"


def _all(results: api.Api, days: int, dry_run: bool) -> dict[str, Any]:
    """As many rounds as there is something to prune."""
    found: dict[str, Any] = results.post("/prune", older_than_days=days, dry_run=dry_run)
    while found["more"]:
        more = results.post("/prune", older_than_days=days, dry_run=dry_run)
        found = more | {
            "jobs": found["jobs"] + more["jobs"],
            "payloads": found["payloads"] + more["payloads"],
            "bytes": found["bytes"] + more["bytes"],
        }
    return found
