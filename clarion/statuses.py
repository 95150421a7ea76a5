"""How the status of a job, a stage or a delivery looks in a terminal."""

from rich.text import Text

_COLOURS = {
    "running": "cyan",
    "waiting": "cyan",
    "completed": "green",
    "succeeded": "green",
    "reused": "green",
    "delivered": "green",
    "partial": "yellow",
    "held": "yellow",
    "refused": "yellow",
    "failed": "red",
}


def colour(status: str) -> str:
    """The style of a status; dim for those that ask for nothing."""
    return _COLOURS.get(status, "dim")


def coloured(status: str) -> Text:
    """The status as a word in its colour."""
    return Text(status, style=colour(status))
