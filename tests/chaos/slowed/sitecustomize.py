"""Lets the payload store be slow in every Python process that has this folder in PYTHONPATH.

While the file `SLOW_STORE_SWITCH` exists, each call that opens, links, lists or removes something
in the folder `SLOW_STORE` waits first. Python tells an audit hook of such calls before it makes
them, so that no code of the system is another than without it.
"""

import os
import sys
import time
from pathlib import Path

_CALLS = {"open", "os.link", "os.remove", "os.mkdir", "os.listdir", "os.scandir", "os.utime"}
_WAIT_S = 0.5


def _waiting(switch: Path, folder: str) -> None:
    """From now on, in this process."""

    def is_inside(path: object) -> bool:
        return isinstance(path, str | os.PathLike) and str(path).startswith(f"{folder}{os.sep}")

    def wait(call: str, arguments: tuple[object, ...]) -> None:
        if call in _CALLS and is_inside(arguments[0]) and switch.exists():
            time.sleep(_WAIT_S)

    sys.addaudithook(wait)


if "SLOW_STORE" in os.environ:
    _waiting(Path(os.environ["SLOW_STORE_SWITCH"]), os.environ["SLOW_STORE"])
