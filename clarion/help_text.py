"""`--help` of every command: sentences flow, and a flag shows no type, since it takes no value."""

from typing import Any

from typer.core import TyperCommand, TyperGroup, TyperOption


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


def _make_readable(command: TyperCommand | TyperGroup, ctx: Any) -> None:
    """typer keeps a docstring's line breaks in all paragraphs but the first."""
    paragraphs = (command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(each.split()) for each in paragraphs)
    for each in command.get_params(ctx):
        if isinstance(each, TyperOption) and each.is_bool_flag:
            each.metavar = ""
