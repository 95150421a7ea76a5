"""`clarion send`: files and folders to a storage SCP."""

import json
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from clarion.failure import Failure
from clarion.homes import asked, require_up
from clarion.load.routes import routes, stands_for
from clarion.options import HomeOption, JsonOption
from clarion.part10 import Instance, find
from clarion.started import as_started
from clarion.storage import Answer, Target, store
from shared.events.models import Lane

app = typer.Typer()

OWN_AE = "COVID19"
"""What is called where no AE title is named."""
_MORE_ASSOCIATIONS = 2
"""For what an association that was lost left without an answer."""


@dataclass(frozen=True)
class Sent:
    """What was sent where, and what the target said."""

    target: Target
    answers: tuple[Answer, ...]
    skipped: tuple[Path, ...]
    seconds: float

    @property
    def refused(self) -> list[Answer]:
        return [answer for answer in self.answers if not answer.stored]

    @property
    def noted(self) -> list[Answer]:
        """Stored, with a warning."""
        return [each for each in self.answers if each.stored and each.status != "0000"]

    @property
    def size(self) -> int:
        """Bytes that were stored."""
        return sum(answer.instance.size for answer in self.answers if answer.stored)


def _target(text: str) -> Target:
    try:
        return Target.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _lane(text: str) -> Lane:
    """Stat: the priorities MEDIUM and LOW of C-STORE change no lane."""
    if text != Lane.STAT:
        raise typer.BadParameter(
            f"C-STORE can ask for stat only, not for {text}; another lane is that of an AE title "
            "(CLARION_AES), which --to names"
        )
    return Lane.STAT


@app.command()
def send(
    paths: Annotated[
        list[Path], typer.Argument(help="DICOM files, and folders of them.", exists=True)
    ],
    to: Annotated[
        Target | None,
        typer.Option(
            help="Where to; else COVID19 of the home's own system.",
            metavar="AE@HOST:PORT",
            parser=_target,
        ),
    ] = None,
    lane: Annotated[
        Lane | None,
        typer.Option(
            help="stat: before all else, by C-STORE priority HIGH. Without it the lane of the "
            "AE title holds.",
            metavar="stat",
            parser=_lane,
        ),
    ] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Send DICOM files over C-STORE; exit 1 when one was not stored."""
    target = to or own_target(home)
    if not to:
        require_up(asked(home))
    sent = send_files(paths, target, lane or Lane.ROUTINE)
    if as_json:
        typer.echo(json.dumps(_summary(sent), indent=1))
    else:
        _tell(sent)
    if sent.refused:
        raise typer.Exit(1)


def own_target(home: Path | None) -> Target:
    """Where the system of a home receives DICOM. Raises Failure where it serves no COVID19."""
    opened = asked(home)
    own = Target(OWN_AE, "127.0.0.1", opened.ports["ingest.dicom"])
    served = routes(as_started(opened))
    if OWN_AE not in served:
        named = ", ".join(f"{title} ({stands_for(route)})" for title, route in served.items())
        first = replace(own, ae_title=next(iter(served), "AE"))
        raise Failure(
            f"no-own-title: nothing was sent: this home serves no AE title {OWN_AE} but "
            f"{named or 'nothing'}; name one, as `clarion send --to {first}`, or add {OWN_AE} to "
            f"CLARION_AES in {opened.folder / 'settings.yaml'} and start the system again"
        )
    return own


def send_files(paths: Sequence[Path], target: Target, lane: Lane) -> Sent:
    """Send what is DICOM among the paths, with a bar on stderr where that is a terminal.

    Raises Failure when there is nothing to send, or nobody to send it to.
    """
    found = find(paths)
    if not found.instances:
        raise Failure(f"nothing to send: no DICOM instance among {len(found.skipped)} files")
    begun = time.monotonic()
    answers = tuple(_with_bar(_until_answered(target, found.instances, lane), found.instances))
    return Sent(target, answers, found.skipped, time.monotonic() - begun)


def _until_answered(target: Target, instances: Sequence[Instance], lane: Lane) -> Iterator[Answer]:
    """One answer for every instance; what was lost is sent again, which changes nothing."""
    lost = yield from _answered(store(target, instances, lane))
    for _ in range(_MORE_ASSOCIATIONS):
        if not lost:
            return
        try:
            lost = yield from _answered(store(target, [each.instance for each in lost], lane))
        except Failure:  # nobody is there any more
            break
    yield from lost


def _answered(answers: Iterable[Answer]) -> Generator[Answer, None, list[Answer]]:
    """What the target said; returns what was lost."""
    lost = []
    for answer in answers:
        if answer.lost:
            lost.append(answer)
        else:
            yield answer
    return lost


def _with_bar(answers: Iterator[Answer], instances: Sequence[Instance]) -> Iterator[Answer]:
    screen = Console(stderr=True)
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        yield from bar.track(answers, total=len(instances))


def _summary(sent: Sent) -> dict[str, Any]:
    return {
        "to": str(sent.target),
        "instances": len(sent.answers),
        "stored": len(sent.answers) - len(sent.refused),
        "bytes": sent.size,
        "elapsed_s": round(sent.seconds, 3),
        "refused": [_described(answer) for answer in sent.refused],
        "noted": [_described(answer) for answer in sent.noted],
        "skipped": [str(path) for path in sent.skipped],
    }


def _described(answer: Answer) -> dict[str, str | None]:
    return {
        "path": str(answer.instance.path),
        "status": answer.status,
        "meaning": answer.meaning,
    }


def _tell(sent: Sent) -> None:
    """One line for each instance with something to say of it, on stderr; then the sum."""
    for answer in (*sent.refused, *sent.noted):
        typer.echo(f"{answer.instance.path}: {answer.status or '----'} {answer.meaning}", err=True)
    for meaning, count in Counter(each.meaning for each in sent.refused).items():
        typer.echo(f"{count} not stored: {meaning}", err=True)
    stored = len(sent.answers) - len(sent.refused)
    line = f"{stored} of {len(sent.answers)} instances stored at {sent.target}"
    typer.echo(f"{line}, {sent.size / 1e6:.1f} MB in {sent.seconds:.1f} s")
    if sent.skipped:
        typer.echo(f"{len(sent.skipped)} files skipped: no DICOM instances")
