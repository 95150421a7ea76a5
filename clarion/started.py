"""What a system that is up was told when it started: settings may have changed since."""

from dataclasses import replace
from pathlib import Path

from deploy.embedded.home import Home
from deploy.embedded.survivors import marked_processes


def as_started(home: Home) -> Home:
    """The home with the environment that its system was started with; as it is where it is down."""
    for each in marked_processes(home.folder):
        if each.is_supervisor:
            variables = Path(f"/proc/{each.pid}/environ").read_text(errors="replace").split("\0")
            told = dict(each.split("=", 1) for each in variables if "=" in each)
            return replace(home, settings=home.settings.model_copy(update={"environment": told}))
    return home
