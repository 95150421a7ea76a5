"""A deadline in time that the worker could run: who waits for a processor is not blamed for it."""

from collections.abc import Callable, Mapping

_AT_MOST = 10
"""Times the deadline: then it is over, however little the worker could run."""
_NOT_WORTH_S = 0.05


class Deadline:
    """Ends when a worker has had its time; `waits` tells how long each of its threads had none.

    A worker that hangs sleeps, or runs: it wants no processor, or has one, and its time goes by.
    What is counted is the thread that waited longest, for the others may have waited at once, or
    for that one. It is asked when the time seems to be over, which is seldom.
    """

    def __init__(self, seconds: float, waits: Callable[[], Mapping[str, float]]) -> None:
        self._waits, self._before = waits, waits()
        self.left_s = seconds
        self._spent_s = 0.0
        self._grace_s = (_AT_MOST - 1) * seconds

    def spend(self, step_s: float) -> None:
        """So much time went by; that in which the worker only waited is given back in the end."""
        self._spent_s += step_s
        self.left_s -= step_s
        if self.left_s <= 0:
            self.left_s = self._given_back()

    def _given_back(self) -> float:
        after = self._waits()
        longest = max((after[name] - self._before.get(name, 0) for name in after), default=0.0)
        back = min(longest, self._spent_s, self._grace_s)
        self._before, self._spent_s = after, 0.0
        self._grace_s -= back
        return back if back >= _NOT_WORTH_S else 0.0
