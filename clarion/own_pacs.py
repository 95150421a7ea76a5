"""Invented patients go to the receiving PACS of the home that they are sent through, and no other.

Any other address may be an archive of real patients, one on this machine too: a tunnel ends there.
"""

from clarion.destinations import destinations
from clarion.failure import Failure
from clarion.started import as_started
from deploy.embedded.home import Home
from services.results.settings import Destination

_HERE = ("127.0.0.1", "localhost")


def require_own_pacs(home: Home) -> None:
    """Raises Failure where the home's system delivers to anything but its own receiving PACS."""
    for name, each in destinations(as_started(home)).items():
        if not is_own(home, each):
            raise Failure(
                f"not-own-pacs: nothing was sent: invented patients would reach the destination "
                f"{name} ({each.ae_title}@{each.host}:{each.port}), which is not the receiving "
                f"PACS of this home (127.0.0.1:{home.ports['pacs']}); use a home without "
                "CLARION_DESTINATIONS: `clarion up --detach --any-ports --home FOLDER`, then this "
                "command with --home FOLDER"
            )


def is_own(home: Home, destination: Destination) -> bool:
    """Is it the receiving PACS of the home?"""
    return destination.host in _HERE and destination.port == home.ports["pacs"]
