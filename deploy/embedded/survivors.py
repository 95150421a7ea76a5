"""Which processes belong to a home, however they came to be left: each carries the home's mark.

The mark is an environment variable that supervisord is started with and that every descendant
inherits, worker processes and Triton's stubs included. No pid file can be stale.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

MARK = "CLARION_SUPERVISED_HOME"
_PROC = Path("/proc")
_GONE_S = 10.0
_PROBE_INTERVAL_S = 0.05


@dataclass(frozen=True)
class Marked:
    """A live process of a home."""

    pid: int
    command: tuple[str, ...]

    @property
    def is_supervisor(self) -> bool:
        return any("supervisord" in Path(word).name for word in self.command[:3])


def marked_processes(folder: Path) -> list[Marked]:
    """Every live process that carries the mark of this home, but never the caller's own."""
    wanted = f"{MARK}={folder}".encode()
    pids = [int(each.name) for each in _PROC.iterdir() if each.name.isdigit()]
    others = [pid for pid in pids if pid != os.getpid()]
    return [Marked(pid, _command(pid)) for pid in others if _carries(pid, wanted)]


def end_survivors(folder: Path) -> list[Marked]:
    """Kill what is left of a home and wait until it is gone; returns what there was.

    Raises TimeoutError should a process outlast its SIGKILL (it hangs in the kernel).
    """
    ended = survivors = marked_processes(folder)
    deadline = time.monotonic() + _GONE_S
    while survivors:
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {[each.pid for each in survivors]} can't be ended")
        for each in survivors:
            _kill(each.pid)
        time.sleep(_PROBE_INTERVAL_S)
        survivors = marked_processes(folder)
    return ended


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _carries(pid: int, wanted: bytes) -> bool:
    """A zombie has no environment any more, and so is none of ours."""
    try:
        return wanted in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _command(pid: int) -> tuple[str, ...]:
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return ()
    return tuple(word.decode(errors="replace") for word in words if word)
