"""`python -m tests.chaos.poison`: the reader, with studies that kill who touches them.

The real handler in the real process; only where a study says so, something happens first.
Which kinds there are stands in `CAUSES`, with the code that each must be set aside with.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
from pydantic import Field

from deploy.embedded.home import open_home
from deploy.embedded.supervisor import Control
from services.reader.handler import handle
from shared import manifest
from shared.bus.work import Ports, Produced, Work
from shared.catalog import load_catalog
from shared.errors import Unavailable
from shared.inference.triton import connect
from shared.run import serve
from shared.settings import TritonSettings
from shared.store.open import open_store
from shared.store.port import PayloadStore

MARKER = "poison "
"""What the Study Description (0008,1030) of a poisoned study begins with; then comes the kind."""
CAUSES: Mapping[str, str] = {
    "memory": "out-of-memory",
    "segfault": "worker-died",
    "exit": "worker-died",
    "hang": "deadline-exceeded",
    "dependency": "dependency-failed",
    "triton": "dependency-failed",
}
_AT_ONCE = 64 << 20
_INTO_THE_CALL_S = 1.0


class PoisonedSettings(TritonSettings):
    """A deadline that a hang reaches while somebody waits for it, and where Triton is."""

    home: Path = Field(description="of the system whose Triton a study crashes")
    deadline_s: float | None = Field(15.0, description="per unit of work")


def poisoned(work: Work, *, store: PayloadStore, home: Path) -> Produced:
    """What the reader makes of a study, unless the study is poison."""
    [first, *_] = manifest.read(work.input("manifest"), store).instances
    said = str(first.header.get("StudyDescription"))
    if said.startswith(MARKER):
        _ENDS[said.removeprefix(MARKER)](home)
    return handle(work, store=store)


def _exhaust_memory(_: Path) -> None:
    """What a process may have is counted when it is asked for; nothing is written into it."""
    held = []
    while True:
        held.append(np.empty(_AT_ONCE, np.uint8))


def _read_nothing(_: Path) -> None:
    ctypes.string_at(0)


def _exit(_: Path) -> NoReturn:
    os._exit(3)


def _hang(_: Path) -> NoReturn:
    while True:
        time.sleep(60)


def _break_the_store(_: Path) -> NoReturn:
    """For this study alone: the store's own probe succeeds."""
    raise Unavailable("store")


def _crash_triton(home: Path) -> NoReturn:
    """In the midst of a call, and of everybody else's; it comes back by itself."""
    time.sleep(_INTO_THE_CALL_S)
    with suppress(KeyError, ProcessLookupError):  # it is down already
        os.kill(Control(open_home(home, load_catalog())).pids()["triton"], signal.SIGKILL)
    time.sleep(_INTO_THE_CALL_S)
    raise Unavailable("triton")


_ENDS: Mapping[str, Callable[[Path], None]] = {
    "memory": _exhaust_memory,
    "segfault": _read_nothing,
    "exit": _exit,
    "hang": _hang,
    "dependency": _break_the_store,
    "triton": _crash_triton,
}


def build(settings: PoisonedSettings) -> Ports:
    """The handler with its ports, for one worker process."""
    store = open_store(settings.store)
    handler = partial(poisoned, store=store, home=settings.home)
    return Ports(handler, {"store": store.probe, "triton": connect(settings).probe})


if __name__ == "__main__":
    serve("reader", PoisonedSettings, build)
