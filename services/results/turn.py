"""The turn to speak: of several replicas on one ledger one publishes at a time.

The newest control of a job replaces the earlier ones on a compacted topic, so their order counts;
two that publish the same outbox would each keep an order of their own, and none together.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.results.ledger import leases
from services.results.ledger.database import Ledger
from shared.clock import Clock

LENGTH = timedelta(seconds=30)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass
class Turn:
    """One replica's part in it. Raises `Unavailable` while the ledger is down."""

    ledger: Ledger
    name: str
    replica: str
    clock: Clock
    _until: datetime = _NEVER

    @property
    def held(self) -> bool:
        """Whether it is this replica's turn for sure, without asking the ledger."""
        return self.clock() < self._until

    def take(self) -> bool:
        """Have the turn, or keep it, unless another replica has it: called well before its end."""
        now = self.clock()
        until = now + LENGTH
        with self.ledger.transaction() as connection:
            taken = leases.take(connection, self.name, self.replica, now, until)
        self._until = until if taken else _NEVER
        return taken

    def give_back(self) -> None:
        """Another replica goes on at once."""
        if self.held:
            self._until = _NEVER
            with self.ledger.transaction() as connection:
                leases.give_back(connection, self.name, self.replica)
