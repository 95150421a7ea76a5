"""Bulk work gives way on the processor: a slot of its own helps nobody whose core is taken.

Without a privilege a process can only be made more courteous, never less so again. So a worker that
has done bulk work is kept for that; other work gets another in its place where none is left.
"""

import os
from contextlib import suppress
from pathlib import Path

_NICE = 15
"""About a thirtieth of a core that others want; all of one that nobody wants."""


def give_way(pid: int) -> None:
    """Let every thread of a process be courteous; new ones will be, too."""
    nice = min(os.getpriority(os.PRIO_PROCESS, 0) + _NICE, 19)
    with suppress(FileNotFoundError):  # it has ended, and whoever asks it finds that out
        for thread in Path("/proc", str(pid), "task").iterdir():
            with suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, int(thread.name), nice)
