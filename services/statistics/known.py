"""Until when everything that was published is kept: later figures may lack some of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

Positions = Mapping[tuple[str, int], int]
"""By topic and partition, the offset before which everything is meant."""

_LATE_S = 60.0


@dataclass
class Known:
    """Follows the ends of the topics that are read; moments in seconds since 1970."""

    until: float | None = None
    """None while no end that was seen has been reached."""
    _ends: Positions = field(default_factory=dict)
    _ends_at: float | None = None

    def measured(self, ends: Positions, positions: Positions, moment: float) -> None:
        """Take the topics' ends, asked for at `moment` or after it, and what is kept by now.

        The ends of one moment are waited for until they are reached: newer ones would never be,
        where events come all the time. A moment after `moment` was a clock's fault.
        """
        if self.until is not None:
            self.until = min(self.until, moment)
        if self._ends_at is not None and self._ends_at <= moment:
            if any(positions.get(place, 0) < end for place, end in self._ends.items()):
                return
            self.until = self._ends_at
        self._ends, self._ends_at = dict(ends), moment

    def why_not(self, moment: float) -> tuple[str, ...]:
        """Why figures of this moment are not whole, in words for an operator."""
        if self.until is None:
            return ("it is not known yet whether every event is counted",)
        if moment - self.until > _LATE_S:
            since = datetime.fromtimestamp(self.until, UTC).isoformat(timespec="seconds")
            return (f"events since {since} may not be counted yet",)
        return ()
