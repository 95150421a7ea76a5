"""The processes of a running system: find them, freeze them, end them, see them back."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.system import System, until

FORKSERVER = "multiprocessing.forkserver"


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process in its tracks; go on, if it still lives then."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if is_alive(pid):
            os.kill(pid, signal.SIGCONT)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def main_of(system: System, service: str) -> int:
    """The process that supervisord started."""
    [main] = system.pids("-m", f"services.{service}") - system.pids(FORKSERVER)
    return main


def worker_of(system: System, service: str) -> int:
    """The one worker process of a stage service: the fork server's child."""

    def found() -> int | None:
        servers = children(main_of(system, service)) & system.pids(FORKSERVER)
        workers = [worker for server in servers for worker in children(server)]
        return workers[0] if len(workers) == 1 else None

    return until(f"a worker of {service}", found)


def until_back(system: System, service: str, gone: int) -> None:
    """Wait for a new process that is ready."""
    until(f"a new {service}", lambda: system.pids("-m", f"services.{service}") - {gone})
    until(f"{service} ready", lambda: system.is_healthy(service))


def children(pid: int) -> set[int]:
    """The direct children of a process; none of one that has ended."""
    found: set[int] = set()
    for path in Path("/proc", str(pid), "task").glob("*/children"):
        with suppress(OSError):
            found |= {int(child) for child in path.read_text().split()}
    return found


def is_alive(pid: int) -> bool:
    """Is there still such a process?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
