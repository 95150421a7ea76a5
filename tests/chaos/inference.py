"""Faults of the inference server: slow, turned away, without memory."""

import resource
import signal
import time
import xmlrpc.client
from contextlib import suppress
from pathlib import Path

from tests.chaos.processes import send_signal
from tests.chaos.scene import Scene
from tests.e2e.system import until

_TRITON = "triton"
_SLOW_S, _STOPPED_S, _RUNS_S = 12.0, 0.9, 0.1
_REFUSES_S = 5.0
_WITHOUT_MEMORY_S = 5.0


def triton_slow(scene: Scene) -> str:
    """Runs for a tenth of the time: every answer comes, late."""
    end = time.monotonic() + _SLOW_S
    while time.monotonic() < end:
        pid = scene.control.pids().get(_TRITON)
        send_signal(pid, signal.SIGSTOP)
        try:
            time.sleep(_STOPPED_S)
        finally:
            send_signal(pid, signal.SIGCONT)
        time.sleep(_RUNS_S)
    return f"for {_SLOW_S:g} s"


def triton_refuses(scene: Scene) -> str:
    """Stopped as an operator stops it: new calls get an error until it ends, then no connection."""
    with suppress(xmlrpc.client.Fault):  # it ended by itself, and is started again
        scene.control.stop(_TRITON)
        until("triton stopped", lambda: _TRITON not in scene.control.busy())
        time.sleep(_REFUSES_S)
        scene.control.start(_TRITON)
    return f"for {_REFUSES_S:g} s"


def triton_out_of_memory(scene: Scene) -> str:
    """It gets no page beyond those that it has; what it can't do without ends it."""
    pid = scene.control.pids().get(_TRITON)
    if pid is None:
        return "no server that there was"
    with suppress(ProcessLookupError, FileNotFoundError):
        _limit_memory(pid, _mapped(pid))
        try:
            time.sleep(_WITHOUT_MEMORY_S)
        finally:
            _limit_memory(pid, resource.RLIM_INFINITY)
    return f"for {_WITHOUT_MEMORY_S:g} s"


def _limit_memory(pid: int, size: int) -> None:
    _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
    resource.prlimit(pid, resource.RLIMIT_AS, (size, hard))


def _mapped(pid: int) -> int:
    """Bytes of a process's address space."""
    pages = int(Path("/proc", str(pid), "statm").read_text().split()[0])
    return pages * resource.getpagesize()
