"""Asks destinations to commit themselves to what they have taken (PS3.4 J), until they report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.results.ledger import commitments
from services.results.ledger.commitments import Unconfirmed
from services.results.ledger.database import Ledger
from services.results.ledger.deliveries import Due
from services.results.scu import Instance
from services.results.settings import Destination
from shared.clock import Clock
from shared.identity import uid
from shared.telemetry.attributes import ATTEMPT, CODE, DESTINATION, JOB
from shared.telemetry.logs import logger, place_of_error

AskCommitment = Callable[[Destination, Sequence[Instance], str], str | None]
"""Asks, and gives the code of why the request was not taken; None when it was."""

_FIRST, _LONGEST = timedelta(hours=1), timedelta(days=1)
"""How long a report may take, and how long it is waited for after many requests."""
_LONGEST_REFUSED = timedelta(hours=8)
"""How long a destination is left alone that takes no request: not so long that one job which it
refuses alone keeps the others waiting for a day."""
_SOON, _ASKS = 5, 20
"""So many requests are made again soon where none is taken; so many are made at all."""
NO_REPORT, BROKE_OFF = "no-report", "broke-off"


@dataclass(frozen=True)
class Confirmer:
    """Asks about one shipment at a time, in the thread that calls it; `clock` is the ledger's."""

    ledger: Ledger
    destinations: Mapping[str, Destination]
    clock: Clock
    later: Callable[[int], timedelta]
    """How long to wait after so many requests that were not taken."""
    ask: AskCommitment

    def confirm(self, due: Due) -> None:
        """Ask about what the destination was sent of the job and has not reported, if that is due.

        Killed at any point, it is asked again. Raises `Unavailable` while the ledger is down.
        """
        with self.ledger.transaction() as connection:
            about = commitments.claim(connection, due, self.clock())
        if about:
            self._ask(due, about)

    def set_back(self) -> None:
        """The clock has been set back, perhaps: nothing waits for longer than is ever waited."""
        with self.ledger.transaction() as connection:
            commitments.bring_forward(connection, self.clock() + _LONGEST)

    def _ask(self, due: Due, about: Sequence[Unconfirmed]) -> None:
        destination = self.destinations.get(due.destination)
        if destination is None or not destination.commitment:
            with self.ledger.transaction() as connection:
                commitments.asked(connection, due, about, None)
            return
        names = "|".join(each.sop_instance_uid for each in about)
        transaction = uid(due.job_id, due.destination, names, "commitment")
        with self.ledger.transaction() as connection:
            commitments.asking(connection, due, about, transaction)
        refused = self._answer(destination, about, transaction)
        asks = 1 + max(each.asks for each in about)
        if refused is not None:
            where = {JOB: due.job_id, DESTINATION: due.destination}
            logger().warning("commitment not asked", **where, **{CODE: refused, ATTEMPT: asks})
        pause = self._pause(asks, taken=refused is None)
        with self.ledger.transaction() as connection:
            again = None if pause is None else self.clock() + pause
            error = NO_REPORT if pause is None and refused is None else refused
            commitments.asked(connection, due, about, again, error)

    def _answer(
        self, destination: Destination, about: Sequence[Unconfirmed], transaction: str
    ) -> str | None:
        """A request that breaks off counts as well: it would be made for ever."""
        try:
            return self.ask(destination, about, transaction)
        except Exception as error:
            logger().error("commitment broke off", **place_of_error(error))
            return BROKE_OFF

    def _pause(self, asks: int, *, taken: bool) -> timedelta | None:
        """None when it was asked often enough: an archive that never reports is left at that."""
        if asks >= _ASKS:
            return None
        if taken:
            return _doubled(asks, _LONGEST)
        return _doubled(asks - _SOON, _LONGEST_REFUSED) if asks > _SOON else self.later(asks)


def _doubled(asks: int, longest: timedelta) -> timedelta:
    """Hours, after so many requests that were made so far apart."""
    hours: timedelta = _FIRST * 2 ** (asks - 1)
    return min(hours, longest)
