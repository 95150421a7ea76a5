"""What a fault has before it: the running system, and chance that a seed decides."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from deploy.embedded.home import Home
from deploy.embedded.supervisor import Control
from deploy.embedded.system import INFRASTRUCTURE
from tests.e2e.processes import children

_FORKSERVER = b"multiprocessing.forkserver"


@dataclass(frozen=True)
class Scene:
    """A home that is up, and the dice of one fault."""

    home: Home
    random: Random

    @property
    def control(self) -> Control:
        return Control(self.home)

    def services(self) -> list[str]:
        """The processes of services that run now, replicas by their own names."""
        return sorted(self.control.pids().keys() - INFRASTRUCTURE)

    def any_service(self) -> str:
        return self.random.choice(self.services())

    def workers(self) -> dict[str, int]:
        """One worker process of each stage service that has any now: its fork server's child."""
        pids = self.control.pids()
        found = {name: _workers(pids[name]) for name in sorted(pids.keys() - INFRASTRUCTURE)}
        return {name: min(workers) for name, workers in found.items() if workers}


def _workers(main: int) -> set[int]:
    servers = [child for child in children(main) if _FORKSERVER in _command(child)]
    return {worker for server in servers for worker in children(server)}


def _command(pid: int) -> bytes:
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return b""
