"""Bulk work gives way on the processor: a slot of its own helps nobody whose core is taken.

Without a privilege a process can only be made more courteous, never less so again. So bulk has
workers of its own, which nothing else is given.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

NICE = 15
"""About a thirtieth of what a thread gets that gives way to none; all of a core that is free."""
_NS = 1e9


def give_way(pid: int) -> None:
    """Let every thread of a process be courteous; new ones will be, too."""
    nice = min(os.getpriority(os.PRIO_PROCESS, 0) + NICE, 19)
    with suppress(OSError):  # it has ended, and whoever asks it finds that out
        for thread in Path("/proc", str(pid), "task").iterdir():
            with suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, int(thread.name), nice)


def waits(pid: int) -> Mapping[str, float]:
    """Seconds that each thread of a process has ever wanted a processor and had none.

    It is the second number of Linux's `schedstat`. Empty where the kernel does not count, and when
    the process has ended, or the system has no descriptor left for this.
    """
    found = {}
    with suppress(OSError):
        for thread in Path("/proc", str(pid), "task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found[thread.name] = int((thread / "schedstat").read_text().split()[1]) / _NS
    return found
