"""The highest rate that a machine holds: which rate to try next. Pure.

Short steps close in on a rate; a long one confirms it, since a queue that grows slowly breaks no
limit in a short one.
"""

from collections.abc import Sequence

from clarion.load.steps import CONFIRMING, SHORT, Planned, Step

_CLOSE = 1.15
"""A rate that fails this near above one that holds ends the search."""
_LONGER = 5
"""How many times the limit of p95, or a short step, one that confirms lasts."""
_DOWN = 1.1
"""How much lower the next one is at least, where a rate is not confirmed."""


def next_planned(
    steps: Sequence[Step], first: float, step_s: float, limit_s: float
) -> Planned | None:
    """What to try after these steps; None: the search is over."""
    if rate := next_rate(_short(steps), first, limit_s):
        return Planned(rate, step_s)
    if rate := _to_confirm(steps, limit_s):
        return Planned(rate, _LONGER * max(step_s, limit_s), confirms=True)
    return None


def next_rate(steps: Sequence[Step], first: float, limit_s: float) -> float | None:
    """Doubled until it fails (halved until it holds), then the geometric middle; None: found.

    It is not halved on where each study had the machine for itself for as long as it may take.
    """
    if not steps:
        return first
    held = _highest(steps)
    failed = min((step.per_h for step in steps if not step.held), default=None)
    if len(steps) >= SHORT.most:
        return None
    if failed is None:
        return max(step.per_h for step in steps) * 2
    if not held:
        return None if _is_alone(failed, limit_s) else failed / 2
    if failed / held.per_h <= _CLOSE:
        return None
    return float((failed * held.per_h) ** 0.5)


def _to_confirm(steps: Sequence[Step], limit_s: float) -> float | None:
    """The rate that was found; while it does not hold, the one at which studies were finished."""
    confirming = [step for step in steps if step.confirms]
    if not confirming:
        found = _highest(_short(steps))
        return found.per_h if found else None
    last = confirming[-1]
    if last.held or len(confirming) >= CONFIRMING.most or _is_alone(last.per_h, limit_s):
        return None
    return last.per_h / max(_DOWN, 1 + last.growth)


def best(steps: Sequence[Step]) -> Step | None:
    """What was confirmed; before anything was to be, the highest that held for a short step."""
    confirming = [step for step in steps if step.confirms]
    if confirming:
        return next((step for step in confirming if step.held), None)
    return _highest(steps)


def _short(steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if not step.confirms]


def _highest(steps: Sequence[Step]) -> Step | None:
    """The highest rate that holds, below any that does not."""
    failed = min((step.per_h for step in steps if not step.held), default=float("inf"))
    held = (step for step in steps if step.held and step.per_h < failed)
    return max(held, key=lambda step: step.per_h, default=None)


def _is_alone(per_h: float, limit_s: float) -> bool:
    """Whether a study has the machine for itself for as long as it may take."""
    return 3600 / per_h >= limit_s
