"""`python -m tests.chaos.poison`: the reader, with studies that kill who touches them.

The real handler in the real process; only where a study says so, something happens first.
Which kinds there are stands in `CAUSES`, with the code that each must be set aside with.
"""

import ctypes
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NoReturn

import numpy as np
from pydantic import Field

from services.reader.handler import handle
from services.reader.settings import ReaderSettings
from shared import manifest
from shared.bus.work import Ports, Produced, Work
from shared.errors import Unavailable
from shared.run import serve
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
}
_AT_ONCE = 64 << 20


class PoisonedSettings(ReaderSettings):
    """A deadline that a hang reaches while somebody waits for it."""

    deadline_s: float | None = Field(15.0, description="per unit of work")


def poisoned(work: Work, *, store: PayloadStore) -> Produced:
    """What the reader makes of a study, unless the study is poison."""
    [first, *_] = manifest.read(work.input("manifest"), store).instances
    said = str(first.header.get("StudyDescription"))
    if said.startswith(MARKER):
        _ENDS[said.removeprefix(MARKER)]()
    return handle(work, store=store)


def _exhaust_memory() -> None:
    """What a process may have is counted when it is asked for; nothing is written into it."""
    held = []
    while True:
        held.append(np.empty(_AT_ONCE, np.uint8))


def _read_nothing() -> None:
    ctypes.string_at(0)


def _exit() -> NoReturn:
    os._exit(3)


def _hang() -> NoReturn:
    while True:
        time.sleep(60)


def _break_the_store() -> NoReturn:
    """For this study alone: the store's own probe succeeds."""
    raise Unavailable("store")


_ENDS: Mapping[str, Callable[[], None]] = {
    "memory": _exhaust_memory,
    "segfault": _read_nothing,
    "exit": _exit,
    "hang": _hang,
    "dependency": _break_the_store,
}


def build(settings: PoisonedSettings) -> Ports:
    """The handler with its ports, for one worker process."""
    store = open_store(settings.store)
    return Ports(partial(poisoned, store=store), {"store": store.probe})


if __name__ == "__main__":
    serve("reader", PoisonedSettings, build)
