"""Bulk begins nothing that can't be interrupted while other work is under way on the same host.

Triton gives its next turn to the most urgent request, but ends no inference: a study would stand
behind one of bulk that began a moment before it. So who knows that work is coming says so before it
comes. The kernel tells of the work, by a lock that ends with the process that holds it. Processes
of other containers are not seen.
"""

import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from shared.events.models import Lane

SIGN = Path(__file__)
"""What is locked: every process of an installation has it."""
_AT_MOST_S = 3.0
"""Of each unit of work, however often it could wait."""
_HAND_OVER_S = 0.2
"""A study that goes from one service to the next is under way meanwhile."""
_LOOK_S = 0.02
_FLOCK = "@hhqqi4x"
"""struct flock: type, whence, start, length, process."""
_left_s: ContextVar[float] = ContextVar("left_s", default=_AT_MOST_S)
_alone: ContextVar[bool] = ContextVar("alone", default=False)
"""Whether the unit of work has found nobody else at work for that moment."""


@contextmanager
def under_way(lane: Lane, sign: Path = SIGN) -> Iterator[None]:
    """Held while a unit of work of the lane is done, or about to begin."""
    with ExitStack() as held:
        held.callback(_left_s.reset, _left_s.set(_AT_MOST_S))
        held.callback(_alone.reset, _alone.set(False))
        if lane is not Lane.BULK:
            with suppress(OSError):  # no descriptor is left: then bulk may come first
                opened = held.enter_context(sign.open("rb"))
                fcntl.fcntl(opened, fcntl.F_OFD_SETLK, _lock(fcntl.F_RDLCK))
        yield


def let_others_first(sign: Path = SIGN) -> None:
    """Return when for a moment no other work was under way, or the unit of bulk has waited 3 s.

    Who was alone before waits only where it is no more.
    """
    if _alone.get() and not _others_work(sign):
        return
    busy_at = time.monotonic()
    until = busy_at + _left_s.get()
    while True:
        others_work, now = _others_work(sign), time.monotonic()
        if now >= until or (not others_work and now >= busy_at + _HAND_OVER_S):
            break
        busy_at = now if others_work else busy_at
        time.sleep(_LOOK_S)
    _left_s.set(max(0.0, until - now))
    _alone.set(not others_work)


def _others_work(sign: Path) -> bool:
    """Asked without taking the lock, which would keep others from it for that moment."""
    with suppress(OSError), sign.open("rb") as opened:
        answer = fcntl.fcntl(opened, fcntl.F_OFD_GETLK, _lock(fcntl.F_WRLCK))
        kind, *_ = struct.unpack(_FLOCK, answer)
        return bool(kind != fcntl.F_UNLCK)
    return False


def _lock(kind: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0)
