"""`clarion`: every command is a module in `clarion/commands` with a typer application `app`.

An application with a name becomes a group (`clarion jobs …`); the commands of one without a name
stand at the top (`clarion up`).
"""

import importlib
import pkgutil
import sys
from typing import Annotated

import typer

from clarion import commands
from clarion.failure import FAILURES, explain
from clarion.help_text import Command, Group
from shared.version import CODE_VERSION


def build() -> typer.Typer:
    """The command line with every command that there is."""
    root = typer.Typer(
        name="clarion",
        cls=Group,
        help="AI on medical images as independent services. Research use only.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["--help", "-h"]},
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    root.callback()(_options)
    for found in sorted(pkgutil.iter_modules(commands.__path__), key=lambda each: each.name):
        module = importlib.import_module(f"{commands.__name__}.{found.name}")
        for command in module.app.registered_commands:
            command.cls = Command
        root.add_typer(module.app, cls=Group)
    return root


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"clarion {CODE_VERSION}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="The version.")
    ] = False,
) -> None:
    """AI on medical images as independent services. Research use only."""


def main() -> int:
    """0, or 1 with the reason on stderr; typer itself exits with 2 when the usage is wrong."""
    try:
        build()(prog_name="clarion")
    except FAILURES as error:
        print(f"clarion: {explain(error)}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
