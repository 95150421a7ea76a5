"""What comes back from running a handler once, wherever it ran."""

import traceback
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.bus.work import Handler, Produced, Work
from shared.errors import BeginAnew, InputRejected, Reason, Unavailable
from shared.events.models import Lane


@dataclass(frozen=True)
class Done:
    """The handler has made what it should."""

    produced: Produced


@dataclass(frozen=True)
class Refused:
    """The study can't be processed."""

    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Down:
    """A dependency did not answer during the call, or there was nobody to call.

    Then the handler was not `asked`, and its study has nothing to do with it.
    """

    what: str
    asked: bool = True


@dataclass(frozen=True)
class Defect:
    """The handler raised, died or hung. `details` may quote values: to the payload store only."""

    code: str
    exception_type: str
    place: str
    details: str


Verdict = Done | Refused | Down | Defect


class Executor(Protocol):
    """Runs handlers, and asks after their dependencies."""

    def execute(self, work: Work) -> Awaitable[Verdict]:
        """Run the handler once; never raises. That nobody is there to run it is an outage, in which
        the handler was not asked."""
        ...

    def is_up(self, what: str, lane: Lane) -> Awaitable[bool]:
        """Whether the dependency answers its own probe; not, when nobody is there to ask it.

        It is asked by whoever works for the lane, where there is one, so that no other waits.
        """
        ...


def judge(handle: Handler, work: Work) -> Verdict:
    """Run the handler here, and turn what it raises into a verdict."""
    try:
        return Done(_handled(handle, work))
    except InputRejected as rejection:
        return Refused(tuple(rejection.reasons))
    except Unavailable as outage:
        return Down(outage.what)
    except MemoryError as error:
        return _defect("out-of-memory", error)
    except Exception as error:
        return _defect("defect", error)


def _handled(handle: Handler, work: Work) -> Produced:
    """Once more, and no more often, where what it had begun with was replaced."""
    try:
        return handle(work)
    except BeginAnew:
        return handle(work)


def _defect(code: str, error: BaseException) -> Defect:
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    place = f"{Path(last.filename).name}:{last.lineno} {last.name}" if last else ""
    return Defect(code, type(error).__name__, place, "".join(traceback.format_exception(error)))
