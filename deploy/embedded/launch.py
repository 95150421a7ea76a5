"""`launch.py PACE_FILE COMMAND…`: become COMMAND, to die with whoever started this.

supervisord started it: should supervisord be killed, the kernel kills this process too. And a
command that ends at once is restarted without limit, but no oftener than once a second.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PACE_S = 1.0


def main(arguments: list[str]) -> None:
    pace, command = Path(arguments[0]), arguments[1:]
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent or not _is_starter(parent):  # died before the kernel was asked
        sys.exit(1)
    _keep_pace(pace)
    os.execvp(command[0], command)  # noqa: S606


def _is_starter(pid: int) -> bool:
    """An orphan of supervisord has another parent, whoever takes orphans in."""
    if "SUPERVISOR_ENABLED" not in os.environ:
        return True
    return b"supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _keep_pace(pace: Path) -> None:
    """Not a second start within the second; the file's time is that of the last start."""
    if pace.exists():
        time.sleep(min(PACE_S, max(0.0, pace.stat().st_mtime + PACE_S - time.time())))
    pace.touch()


if __name__ == "__main__":
    main(sys.argv[1:])
