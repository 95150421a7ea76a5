"""When a case's input is complete: a quiet time, which an association's release may shorten.

Many senders open one association for each image or each batch, so a release alone says nothing.
It shortens the wait only when that association was the only one so far, brought several instances
of the case, and ended by release and not by abort.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock

RULE = "quiet-time"
Timer = Callable[[], float]
"""Seconds of a clock that nobody sets: a wall clock that jumps would hold studies back."""
_AGAIN_S = 1.0


@dataclass(frozen=True)
class Activity:
    """What happened to a case since its last version; times in seconds of one clock."""

    last: float
    quiet_s: float
    bulk: bool = True
    """Whether all that came of it is bulk."""
    filling: Mapping[str, int] = field(default_factory=dict)
    """Open associations, and how many instances of this case each brought."""
    associations: int = 0
    """How many there were, open or ended."""
    released: float | None = None

    def arrival(self, association: str, now: float) -> "Activity":
        filling = {**self.filling, association: self.filling.get(association, 0) + 1}
        associations = self.associations + (association not in self.filling)
        return replace(self, last=now, filling=filling, associations=associations, released=None)

    def end(self, association: str, now: float, *, clean: bool) -> "Activity":
        brought = self.filling.get(association, 0)
        filling = {name: count for name, count in self.filling.items() if name != association}
        released = now if clean and brought > 1 and self.associations == 1 else None
        return replace(self, filling=filling, released=released)

    def due(self, release_s: float) -> float:
        """When the input is taken to be complete, if nothing more happens."""
        quiet = self.last + self.quiet_s
        return quiet if self.released is None else min(quiet, self.released + release_s)


class QuietTimes:
    """The activity of every case that is being filled. Threads may share it."""

    def __init__(self, release_s: float) -> None:
        self._release_s = release_s
        self._cases: dict[str, Activity] = {}
        self._lock = Lock()

    def arrived(
        self, case: str, association: str, quiet_s: float, now: float, *, bulk: bool
    ) -> None:
        """An instance of the case was kept; an empty `association` is one that is gone."""
        with self._lock:
            activity = self._cases.get(case, Activity(now, quiet_s))
            moved = activity.arrival(association, now) if association else activity
            self._cases[case] = replace(moved, quiet_s=quiet_s, bulk=moved.bulk and bulk)

    def repeated(self, case: str, association: str, now: float) -> None:
        """A known instance came again: its sender is still busy with the case."""
        with self._lock:
            if case in self._cases:
                self._cases[case] = self._cases[case].arrival(association, now)

    def ended(self, association: str, now: float, *, clean: bool) -> None:
        """An association was released (`clean`), aborted or lost."""
        with self._lock:
            for case, activity in self._cases.items():
                if association in activity.filling:
                    self._cases[case] = activity.end(association, now, clean=clean)

    def due(self, now: float) -> list[str]:
        """The cases that are complete, the longest waiting first."""
        with self._lock:
            times = {case: a.due(self._release_s) for case, a in self._cases.items()}
        return sorted((case for case, at in times.items() if at <= now), key=times.__getitem__)

    def others_soon(self, now: float, within_s: float) -> bool:
        """Whether a case that is not bulk will be complete within so many seconds."""
        with self._lock:
            due = (a.due(self._release_s) for a in self._cases.values() if not a.bulk)
            return any(at <= now + within_s for at in due)

    def settle(self, case: str, now: float) -> bool:
        """Forget a case that is still due; False when something arrived meanwhile."""
        with self._lock:
            activity = self._cases.get(case)
            if activity is None or activity.due(self._release_s) > now:
                return False
            del self._cases[case]
            return True

    def again(self, case: str, now: float) -> None:
        """A settled case could not be decided: it is due again in a moment, and may be urgent."""
        with self._lock:
            self._cases.setdefault(case, Activity(now, _AGAIN_S, bulk=False))
