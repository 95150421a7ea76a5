"""The embedded system that is put under load: this machine's own, never another."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from clarion import api, homes
from clarion.failure import Failure
from clarion.load.judging import Filed, filed, repeats
from clarion.load.machine import Addresses
from clarion.load.tracking import Tracker
from deploy.embedded.home import Home

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_SNAPSHOT = "statistics.statistics"


def require_up(home: Home) -> None:
    """Raises Failure when the home is down, or its results are asked for on another machine."""
    told = os.environ.get("CLARION_RESULTS_URL")
    if told and urlsplit(told).hostname not in _LOOPBACK:
        raise Failure(
            "not-loopback: load is put on this machine's own system only, and CLARION_RESULTS_URL "
            "names another; unset it"
        )
    homes.require_up(home)


def results(home: Home) -> api.Api:
    return api.results(home.folder)


def addresses(home: Home) -> Addresses:
    """Where Triton and the statistics service tell how they are."""
    snapshot = f"http://{home.local(_SNAPSHOT)}/snapshot" if _SNAPSHOT in home.ports else None
    return Addresses(f"http://{home.local('triton-metrics')}/metrics", snapshot)


@dataclass(frozen=True)
class PacsLog:
    """The embedded PACS's log from a moment on."""

    path: Path
    start: int

    @classmethod
    def from_now(cls, home: Home) -> "PacsLog":
        path = home.logs / "pacs.log"
        return cls(path, path.stat().st_size if path.is_file() else 0)

    def repeats(self) -> int:
        """How often the PACS was sent what it had; a rotated log is read from its begin."""
        if not self.path.is_file():
            return 0
        with self.path.open("rb") as log:
            if self.path.stat().st_size >= self.start:
                log.seek(self.start)
            return repeats(log.read())


def filed_at_pacs(home: Home, tracker: Tracker, log: PacsLog) -> Filed:
    """Against the PACS's folder, but where the home names its own destinations.

    Of those several may be this PACS, and take an object each, or none may be called pacs.
    """
    if "CLARION_DESTINATIONS" in home.settings.environment:
        return Filed()
    settled = tracker.settled_cases()
    return filed(tracker.sent, settled, tracker.jobs.values(), home.received, log.repeats())
