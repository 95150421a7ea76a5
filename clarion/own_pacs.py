"""Invented patients go to the receiving PACS of the home that they are sent through, and no other.

Any other address may be an archive of real patients, one on this machine too: a tunnel ends there.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from clarion.destinations import destinations
from clarion.failure import Failure
from deploy.embedded.home import Home
from deploy.embedded.survivors import marked_processes
from services.results.settings import Destination

_DESTINATIONS = "CLARION_DESTINATIONS"
_HERE = ("127.0.0.1", "localhost")


def require_own_pacs(home: Home) -> None:
    """Raises Failure where the home's system delivers to anything but its own receiving PACS."""
    for name, each in _delivers_to(home).items():
        if each.host not in _HERE or each.port != home.ports["pacs"]:
            raise Failure(
                f"not-own-pacs: nothing was sent: invented patients would reach the destination "
                f"{name} ({each.ae_title}@{each.host}:{each.port}), which is not the receiving "
                f"PACS of this home (127.0.0.1:{home.ports['pacs']}); use a home without "
                f"{_DESTINATIONS}: `clarion up --detach --any-ports --home FOLDER`, then this "
                "command with --home FOLDER"
            )


def _delivers_to(home: Home) -> Mapping[str, Destination]:
    """The destinations that the system was started with, where it is up; else the settings'."""
    told = _started_with(home)
    if told is None:
        return destinations(home)
    environment = home.settings.environment | {_DESTINATIONS: told}
    started = home.settings.model_copy(update={"environment": environment})
    return destinations(replace(home, settings=started))


def _started_with(home: Home) -> str | None:
    """The destinations in the environment of the home's supervisord; None: it is down."""
    wanted = f"{_DESTINATIONS}="
    for each in marked_processes(home.folder):
        if each.is_supervisor:
            variables = Path(f"/proc/{each.pid}/environ").read_text(errors="replace").split("\0")
            return next((v.removeprefix(wanted) for v in variables if v.startswith(wanted)), None)
    return None
