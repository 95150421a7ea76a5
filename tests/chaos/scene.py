"""What a fault has before it: the running system, and chance that a seed decides."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from deploy.embedded.home import Home
from deploy.embedded.supervisor import Control
from deploy.embedded.system import INFRASTRUCTURE
from deploy.embedded.triton_files import STUB
from tests.e2e.processes import children

_FORKSERVER = b"multiprocessing.forkserver"


@dataclass(frozen=True)
class Scene:
    """A home that is up, and the dice of one fault."""

    home: Home
    random: Random
    spared: tuple[str, ...] = ()
    """The services whose workers die of poison now: its attempts are counted."""

    @property
    def control(self) -> Control:
        return Control(self.home)

    def services(self) -> list[str]:
        """The processes of services that run now, replicas by their own names."""
        return sorted(self.control.pids().keys() - INFRASTRUCTURE)

    def any_service(self) -> str:
        return self.random.choice(self.services())

    def workers(self) -> dict[str, set[int]]:
        """The workers of each stage service that has any now: its fork server's children."""
        found = {name: children(max(of)) for name, of in self.fork_servers().items()}
        return {name: workers for name, workers in found.items() if workers}

    def models(self) -> dict[str, set[int]]:
        """The processes in which Triton runs its models; nothing while it runs none."""
        pid = self.control.pids().get("triton")
        models = {each for each in children(pid or 0) if STUB.encode() in _command(each)}
        return {"triton": models} if models else {}

    def fork_servers(self) -> dict[str, set[int]]:
        """The process that forks the workers of each stage service."""
        pids = self.control.pids()
        found = {name: fork_servers_of(pids[name]) for name in sorted(pids.keys() - INFRASTRUCTURE)}
        return {name: servers for name, servers in found.items() if servers}


def fork_servers_of(main: int) -> set[int]:
    """The fork servers of a process: one, or none while it has none."""
    return {child for child in children(main) if _FORKSERVER in _command(child)}


def _command(pid: int) -> bytes:
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return b""
