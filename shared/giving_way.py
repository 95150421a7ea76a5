"""Bulk begins nothing that can't be interrupted while other work is under way on the same host.

Triton gives its next turn to the most urgent request, but ends no inference: a study would stand
behind one of bulk that began a moment before it. A kernel's lock tells of the work, since it ends
with the process that holds it. Processes of other containers are not seen.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from shared.events.models import Lane

_SIGN = Path(__file__)
"""What is locked: every process of an installation has it."""
_AT_MOST_S = 3.0
_HAND_OVER_S = 0.1
"""A study that goes from one service to the next is under way meanwhile."""
_LOOK_S = 0.02


@contextmanager
def under_way(lane: Lane, sign: Path = _SIGN) -> Iterator[None]:
    """Held by a worker process while it does work of the lane."""
    with ExitStack() as held:
        if lane is not Lane.BULK:
            # No descriptor is left, or bulk looks just now: then it may come first.
            with suppress(OSError):
                fcntl.flock(held.enter_context(sign.open("rb")), fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield


def let_others_first(sign: Path = _SIGN) -> None:
    """Return when for a moment no other work was under way; after three seconds in any case."""
    busy_at = time.monotonic()
    until = busy_at + _AT_MOST_S
    while (now := time.monotonic()) < min(until, busy_at + _HAND_OVER_S):
        if _others_work(sign):
            busy_at = now
        time.sleep(_LOOK_S)


def _others_work(sign: Path) -> bool:
    with suppress(OSError), sign.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
