"""Every version of every model, as a list for programs and as a table for people."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from clarion.models.server import ModelServer, ServerDown, States
from deploy.modelrepo.refused import Refused
from deploy.modelrepo.repository import Repository

Entry = dict[str, Any]
_WIDTHS = {
    "model": 16,
    "v": 4,
    "triton": 11,
    "task": 14,
    "sha256": 8,
    "licence": 10,
    "source": 11,
}
_STATES = {"READY": "green", "down": "yellow", "UNAVAILABLE": "red"}


def of_home(repository: Repository, server: ModelServer) -> list[Entry]:
    """One entry a version, by model and number; `triton` is `down` where nobody answers."""
    states = _states(server)
    return [entry for name in repository.names() for entry in _model(repository, name, states)]


def of_server(server: ModelServer, address: str) -> list[Entry]:
    """What a server with a repository of its own tells. Raises `ServerDown`."""
    return [
        entry
        for name, versions in sorted(server.states().items())
        for entry in _told(server, name, versions or {0: "-"}, address)
    ]


def table(entries: list[Entry]) -> Table:
    """Fits 80 columns; what is longer than usual is cut, and whole in the list for programs."""
    shown = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name, width in _WIDTHS.items():
        shown.add_column(name, overflow="ellipsis", no_wrap=True, max_width=width)
    before = None
    for each in entries:
        mark = "[green]●[/] " if each["active"] else "  "
        number = str(each["version"] or "-")
        shown.add_row(
            Text(each["name"] if each["name"] != before else ""),
            Text.from_markup(mark + number),
            Text(each["triton"].lower(), style=_STATES.get(each["triton"], "dim")),
            Text(each["task"] or "-"),
            Text((each["sha256"] or "-")[:8]),
            Text(each["licence"] or "-"),
            Text(_source(each)),
        )
        before = each["name"]
    return shown


def _source(entry: Entry) -> str:
    """A catalog's version before its name; of a path the end."""
    said = Path(entry["source"]).name
    version = entry["publisher_version"]
    return f"{version} {said}" if version else said


def _states(server: ModelServer) -> States | None:
    try:
        return server.states()
    except ServerDown:
        return None


def _model(repository: Repository, name: str, states: States | None) -> Iterator[Entry]:
    active = repository.active(name)
    for number in repository.versions(name):
        origin = repository.origin(name, number)
        state = "down" if states is None else states.get(name, {}).get(number, "-")
        if repository.is_aside(name):
            state = "UNLOADED"
        yield {
            "name": name,
            "version": number,
            "active": number == active and not repository.is_aside(name),
            "triton": state,
            "task": _task(repository, name, number),
            "sha256": origin.weights,
            "licence": origin.licence,
            "source": origin.source,
            "publisher_version": origin.version,
            "added_at": origin.added_at.isoformat(),
        }


def _task(repository: Repository, name: str, number: int) -> str | None:
    """None also where the version's configuration can't be read, of which `verify` tells."""
    try:
        return repository.parameters(name, number).get("kind")
    except (Refused, FileNotFoundError):
        return None


def _told(
    server: ModelServer, name: str, versions: Mapping[int, str], address: str
) -> Iterator[Entry]:
    serving = server.serving(name)
    for number, state in sorted(versions.items()):
        answers = serving is not None and serving.version == number
        parameters = serving.parameters if serving and answers else {}
        yield {
            "name": name,
            "version": number or None,
            "active": answers,
            "triton": state,
            "task": parameters.get("kind"),
            "sha256": parameters.get("sha256"),
            "licence": parameters.get("licence"),
            "source": address,
            "publisher_version": None,
            "added_at": None,
        }
