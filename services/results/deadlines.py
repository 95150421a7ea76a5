"""Ends the runs whose deadline has passed and that no queue explains."""

from dataclasses import dataclass
from datetime import datetime

from services.results.conclude import Concluder
from services.results.ledger import standing
from services.results.ledger.database import Ledger

_JUMP_S = 60.0


@dataclass(frozen=True)
class Watch:
    """Since when somebody looks, and what the clocks said at the last look."""

    since: datetime
    clock: datetime
    steady_s: float
    """Of a clock that nobody sets."""

    def again(self, clock: datetime, steady_s: float) -> "Watch":
        """The next look. A clock that has jumped begins the watch anew.

        By the new time everything that runs would be late, or not for an hour; and a machine that
        slept has looked at nothing.
        """
        passed = (clock - self.clock).total_seconds()
        jumped = abs(passed - (steady_s - self.steady_s)) > _JUMP_S
        return Watch(clock if jumped else self.since, clock, steady_s)


def sweep(ledger: Ledger, concluder: Concluder, watching_since: datetime) -> int:
    """Stop every run that is late; how many there were.

    Time before `watching_since` doesn't count: after an outage of the whole system the events
    that would have ended the runs are still on their way.
    """
    with ledger.reading() as connection:
        late = [
            run
            for run, _ in standing.running(connection)
            if concluder.is_due(run, watching_since) and concluder.stands(connection, run)
        ]
    for run in late:
        with ledger.transaction() as connection:
            concluder.conclude(connection, run.job_id, run.run, stop="deadline")
    return len(late)
