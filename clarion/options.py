"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

from clarion.failure import Failure
from deploy.embedded.home import home_folder

_WITHOUT_A_HOME = {"up", "demo", "doctor"}
"""Commands that make a home, or tell what it would lack."""


def _require_home(context: typer.Context, named: Path | None) -> Path | None:
    """Raises Failure for a home that was named and is not there: it has no ports of its own,
    and at the usual ones another system would answer."""
    if named and not named.is_dir() and context.command.name not in _WITHOUT_A_HOME:
        folder = home_folder(named)
        raise Failure(
            f"no-home: there is no home {folder}; name the system's own with --home or "
            f"CLARION_HOME, or make one there: clarion up --home {folder}"
        )
    return named


HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="Folder of the system; else CLARION_HOME, else .home.",
        metavar="DIR",
        envvar="CLARION_HOME",
        show_envvar=False,
        callback=_require_home,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
JobArgument = Annotated[str, typer.Argument(help="A job's id, or the beginning of one.")]
