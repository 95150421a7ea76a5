"""`watch_models.py COMMAND…`: become COMMAND, a tritonserver, whose models are watched.

The python backend runs each model in a process of its own. When one ends, be it that the system has
no memory left, Triton starts no other, calls itself and the model ready, and answers every request
for it with an error until it is started again. So a process beside it looks whether all live, and
ends Triton where one does not: supervisord starts it again, which services know as an outage.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LOOK_S = 0.25
"""Who is found dead twice stays dead: what Triton itself ends it puts away within milliseconds."""
_PROC = Path("/proc")


def main(arguments: list[str]) -> None:
    """Watch the process that is named, or have this one watched and become the command."""
    if arguments[0] == "--watch":
        watch(int(arguments[1]))
        return
    own = [sys.executable, "-I", "-S", __file__, "--watch", str(os.getpid())]
    subprocess.Popen(own)  # noqa: S603
    os.execvp(arguments[0], arguments)  # noqa: S606


def watch(server: int) -> None:
    """Return when the server has been ended for a dead child, or is gone."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    dead: set[int] = set()
    while os.getppid() == server:
        found = dead_children(server)
        if found & dead:
            sys.stdout.write("the process of a model has ended: Triton is to be started again\n")
            sys.stdout.flush()
            os.kill(server, signal.SIGKILL)
            return
        dead = found
        time.sleep(LOOK_S)


def dead_children(pid: int) -> set[int]:
    """The children that have ended and were not put away. Raises `OSError` when `pid` is gone."""
    threads = (_PROC / str(pid) / "task").iterdir()
    found = [child for thread in threads for child in _words(thread / "children")]
    return {int(child) for child in found if _state(_PROC / child / "stat") == "Z"}


def _state(stat: Path) -> str:
    """The letter behind the name, which may hold blanks and brackets; "" when it is gone."""
    return (_text(stat).rpartition(")")[2].split() or [""])[0]


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    """Nothing where a thread or process ends meanwhile."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


if __name__ == "__main__":
    main(sys.argv[1:])
