"""Verdicts: what a handler raises tells the bus what to do with the unit of work.

    Verdict
    ├── InputRejected   this study can't be processed, and trying again won't help
    └── Unavailable     a dependency is down; wait for it

Anything else that a handler raises is a defect, and is tried again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

Number = int | float | str | bool


@dataclass(frozen=True)
class Reason:
    """Why something was refused or failed: a code, and the numbers that show it.

    Numbers never hold a value that identifies a patient: they travel on the bus.
    """

    code: str
    numbers: dict[str, Number] = field(default_factory=dict)


class Verdict(Exception):
    """A judgement that the bus acts upon, not a defect."""


class InputRejected(Verdict):
    """This study can't be processed; all reasons found, in order of precedence."""

    def __init__(self, *reasons: Reason) -> None:
        if not reasons:
            raise ValueError("a rejection needs at least one reason")
        super().__init__(", ".join(reason.code for reason in reasons))
        self.reasons: Sequence[Reason] = reasons


class Unavailable(Verdict):
    """A dependency is down: `what` names the probe that tells when it is back."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class BeginAnew(Unavailable):
    """What the work had begun with was replaced meanwhile, which is nobody's fault."""
