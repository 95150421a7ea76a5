"""`clarion models`: the models of a home, their versions, and which one answers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from clarion.failure import Failure
from clarion.homes import asked
from clarion.models import catalog, listing, promotion
from clarion.models.packages import Package, opened
from clarion.models.promotion import Added, Chosen
from clarion.models.server import ModelServer, NoServer, ServerDown, Triton
from clarion.options import HomeOption, JsonOption
from deploy.embedded.cache import REPOSITORY
from deploy.embedded.home import Home
from deploy.embedded.system import is_running
from deploy.modelrepo.candidates import answering, candidates
from deploy.modelrepo.origin import Source
from deploy.modelrepo.repository import Repository
from deploy.modelrepo.seeding import seed
from shared.pipelines.definition import parse

app = typer.Typer(
    name="models",
    help=(
        "The models: versions beside each other, of which one answers. `add` lays a version "
        "there, `promote` lets it answer, `rollback` takes that back. A pipeline names a model in "
        "one line, `parameters: {model: NAME}`."
    ),
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(help="A model's name, as `models list` shows it.")]


@dataclass(frozen=True)
class Place:
    """Where the models are: the home's repository, or a Triton that has one of its own."""

    home: Home
    server: ModelServer

    @property
    def elsewhere(self) -> str | None:
        """The address of a Triton that is not the home's."""
        return self.home.settings.triton

    @property
    def repository(self) -> Repository:
        """The home's. Raises `Failure` where the models are not in the home."""
        if self.elsewhere:
            raise Failure(
                f"triton-elsewhere: the models lie with the Triton at {self.elsewhere}, and its "
                "API does not move files or choose versions. Do that in its own repository "
                "(version_policy in config.pbtxt), then `clarion models load NAME`"
            )
        return Repository(self.home.models)


@app.command("list")
def listed(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """List every version; ● marks the one that answers."""
    place = _place(home)
    with _server_needed(place):
        found = (
            listing.of_server(place.server, place.elsewhere)
            if place.elsewhere
            else listing.of_home(place.repository, place.server)
        )
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        Console(highlight=False).print(listing.table(found))


@app.command()
def add(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A folder or zip (Triton model, MONAI bundle); with --from NAME or NAME@VERSION.",
        ),
    ],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="CATALOG", help="Folder or HTTP(S) address of a catalog."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="The name here; else the model's own."),
    ] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Add a model, or a version of one that is there; which version answers stays as it is.

    A name that is new answers at once. What a catalog offers must have the sha256 it tells.
    """
    place = _place(home)
    repository = place.repository
    with TemporaryDirectory(prefix="clarion-model-") as folder:
        scratch = Path(folder)
        if source:
            package, origin = _offered(repository, source, what, name, scratch)
        else:
            path = Path(what)
            package, origin = opened(path, scratch, name), Source(source=str(path.resolve()))
        for note in package.notes:  # they may tell why Triton refuses it
            typer.echo(note, err=True)
        added = _add(repository, place.server, package, origin)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in added], indent=1))
        return
    for each in added:
        typer.echo(_told_of_added(each))


@app.command()
def promote(
    name: NameArgument,
    version: Annotated[int, typer.Argument(help="The version that is to answer.")],
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Let a version answer from now on; studies that are under way lose nothing.

    Triton loads it before it lets the other go, and keeps the other if it can't.
    """
    place = _place(home)
    _tell(promotion.promote(place.repository, place.server, name, version, _now()), as_json)


@app.command()
def rollback(name: NameArgument, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Let the version answer that did before the last `promote`."""
    place = _place(home)
    _tell(promotion.rollback(place.repository, place.server, name, _now()), as_json)


@app.command()
def load(name: NameArgument, home: HomeOption = None) -> None:
    """Load a model anew: after `unload`, or when its server was given other files.

    The bytes of the version that answers are checked first, and what Triton reads of it is written
    anew where somebody edited it by hand.
    """
    place = _place(home)
    if place.elsewhere:
        with _server_needed(place):
            place.server.load(name)
            serving = place.server.serving(name)
        typer.echo(f"{name} {serving.version if serving else '-'} answers")
        return
    done = promotion.load(place.repository, place.server, name)
    typer.echo(f"{name} {done.version or '-'} answers{'' if done.known else _LATER}")
    if done.renewed:
        typer.echo(
            f"{promotion.EDITED}: what Triton read of {name} was edited by hand, and was written "
            "anew. To keep an edit, add it as a version of its own",
            err=True,
        )


@app.command()
def unload(name: NameArgument, home: HomeOption = None) -> None:
    """Take a model out of Triton's memory until `load`, however often Triton starts.

    A Triton elsewhere has it again when its operator starts it.
    """
    place = _place(home)
    if place.elsewhere:
        with _server_needed(place):
            place.server.unload(name)
        typer.echo(f"{name} is unloaded, until the Triton at {place.elsewhere} starts again")
    else:
        done = promotion.unload(place.repository, place.server, name)
        until = f"until `clarion models load {name}`"
        typer.echo(f"{name} is unloaded{'' if done.known else _LATER}, {until}")
    for stage in _asking_for(name):
        typer.echo(f"studies will fail at {stage}, which asks for it", err=True)


@app.command()
def verify(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Read every byte of every version again; exit 1 when one is not what was added."""
    repository = _place(home).repository
    found = [
        {"name": name, "version": number, "changed": repository.changed(name, number)}
        for name in repository.names()
        for number in repository.known(name)
    ]
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        for each in found:
            code = each["changed"]
            said = f"{code}: {promotion.explained(str(code))}" if code else "as it was added"
            typer.echo(f"{each['name']} {each['version']}: {said}")
    if any(each["changed"] for each in found):
        raise typer.Exit(1)


def _place(folder: Path | None) -> Place:
    """The home's models; a home that never was up gets the reference models first."""
    home = asked(folder)
    address = home.settings.triton or (home.triton_address if is_running(home) else None)
    server: ModelServer = Triton(address) if address else NoServer()
    if not home.settings.triton and not home.models.exists():
        seed(Repository(home.models), REPOSITORY / "models", _now())
    return Place(home, server)


def _offered(
    repository: Repository, location: str, wanted: str, name: str | None, scratch: Path
) -> tuple[Package, Source]:
    """What a catalog offers, fetched and checked, with the card it tells of."""
    with catalog.client() as client:
        shelf = catalog.Shelf(location, client)
        entry = catalog.chosen(shelf.read(scratch), wanted)
        catalog.require_same(repository, name or entry.name, entry)
        file, card = shelf.fetch(entry, scratch)
    package = opened(file, scratch, name or entry.name)
    return replace(package, card=card), entry.origin


def _add(
    repository: Repository, server: ModelServer, package: Package, source: Source
) -> list[Added]:
    found = candidates(package.folder, source, package.card)
    if not found:
        raise Failure(f"no-version: {package.name} has no numbered folder with weights")
    first = answering(package.folder, found)
    return promotion.add_all(repository, server, package.name, found, first, _now())


@contextmanager
def _server_needed(place: Place) -> Iterator[None]:
    try:
        yield
    except ServerDown:
        where = place.elsewhere or f"of {place.home.folder}"
        raise Failure(f"triton-down: the Triton {where} does not answer (`clarion up`)") from None


def _asking_for(name: str) -> list[str]:
    """The stages of the shipped pipelines whose model this is."""
    known = (parse(path.read_bytes()) for path in (REPOSITORY / "deploy/pipelines").glob("*.yaml"))
    return [
        f"{definition.pipeline}/{stage}"
        for definition in known
        for stage, wired in definition.stages.items()
        if wired.parameters.get("model") == name
    ]


def _told_of_added(added: Added) -> str:
    what = f"{added.name} {added.version}"
    if not added.new:
        return f"{what} is there already, the same to the byte"
    if not added.answers:
        return f"{what} is there; to let it answer: clarion models promote {what}"
    return f"{what} is there and answers{'' if added.loaded else _LATER}"


def _tell(chosen: Chosen, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(chosen), indent=1))
        return
    later = "" if chosen.loaded else _LATER
    before = f", in place of {chosen.before}" if chosen.before not in (None, chosen.version) else ""
    typer.echo(f"{chosen.name} {chosen.version} answers{before}{later}")


_LATER = " from the next `clarion up` (Triton is not up)"


def _now() -> datetime:
    return datetime.now(UTC)
