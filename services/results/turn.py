"""The turn to speak: of several replicas on one ledger one publishes at a time.

The newest control of a job replaces the earlier ones on a compacted topic, so their order counts;
two that publish the same outbox would each keep an order of their own, and none together.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from services.results.ledger import leases
from services.results.ledger.database import Ledger
from shared.clock import Clock

LENGTH = timedelta(seconds=30)


def since_boot() -> float:
    """Seconds that no clock jump changes, and that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass
class Turn:
    """One replica's part in it. Raises `Unavailable` while the ledger is down.

    `clock` is the ledger's: replicas whose own clocks differ agree by it on whose turn it is.
    How long it has it, each measures by its own `timer` from before it asked.
    """

    ledger: Ledger
    name: str
    replica: str
    clock: Clock
    timer: Callable[[], float] = since_boot
    _until: float | None = None

    @property
    def held(self) -> bool:
        """Whether it is this replica's turn for sure, without asking the ledger."""
        return self._until is not None and self.timer() < self._until

    def take(self) -> bool:
        """Have the turn, or keep it, unless another replica has it: called well before its end."""
        asked = self.timer()
        now = self.clock()
        with self.ledger.transaction() as connection:
            taken = leases.take(connection, self.name, self.replica, now, now + LENGTH)
        self._until = asked + LENGTH.total_seconds() if taken else None
        return taken

    def give_back(self) -> None:
        """Another replica goes on at once."""
        if self.held:
            self._until = None
            with self.ledger.transaction() as connection:
                leases.give_back(connection, self.name, self.replica)
