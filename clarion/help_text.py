"""`--help` of every command: sentences flow, and a flag shows no type, since it takes no value.

Where there is no such command, the one that is meant is named.
"""

from typing import Any

from typer.core import TyperCommand, TyperGroup, TyperOption

_MEANT = {"start": "up", "stop": "down"}
"""By its letters alone `stop` would be `top`."""


class Command(TyperCommand):
    """A command whose help people can read."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _make_readable(self, ctx)
        super().format_help(ctx, formatter)


class Group(TyperGroup):
    """Commands under one name, whose help people can read."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _make_readable(self, ctx)
        super().format_help(ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        meant = _MEANT.get(args[0])
        if meant in self.commands and args[0] not in self.commands:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {meant!r}?")
        return super().resolve_command(ctx, args)


def _make_readable(command: TyperCommand | TyperGroup, ctx: Any) -> None:
    """typer keeps a docstring's line breaks in all paragraphs but the first."""
    paragraphs = (command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(each.split()) for each in paragraphs)
    for each in command.get_params(ctx):
        if isinstance(each, TyperOption) and each.is_bool_flag:
            each.metavar = ""
