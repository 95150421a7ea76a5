"""Whether Faust gets on, told from outside of it, and what to do when it does not (decision 12).

Faust 0.15.3 can stand for ever after a rebalance, and neither crashes nor says so. Its recovery can
be begun anew at any time; and all that a replica knows follows from Kafka's topics, so that a new
process is as good as the old one.
"""

from enum import Enum
from typing import cast

import faust
from faust.tables.manager import TableManager
from faust.transport.consumer import Consumer

from shared.telemetry.logs import logger

_LONGEST_STEP_S = 2.0
"""What a look counts at most, at one a second: a process that gets no time has longer to get on."""


class Verdict(Enum):
    """What one look comes to."""

    WORKS = "works"
    STANDS = "stands"
    LOST = "lost"


class Watchdog:
    """Adds up for how long nothing got done while there was a broker to work with."""

    def __init__(self, stands_after_s: float, lost_after_s: float, now: float) -> None:
        self._stands_after_s, self._lost_after_s = stands_after_s, lost_after_s
        self._looked_at = now
        self._recovered = 0
        self._told_at_s = 0.0
        self.stood_s = 0.0

    def moved(self) -> None:
        """Something got done: a topic was brought on, or all were looked after."""
        self.stood_s = self._told_at_s = 0.0

    def look(self, recovered: int, kafka_answers: bool, now: float) -> Verdict:
        """STANDS each time that nothing got done for so long, LOST when that did not help.

        `recovered` counts the changes of tables that were read back; `now` (s) never goes back.
        """
        step, self._looked_at = min(now - self._looked_at, _LONGEST_STEP_S), now
        if recovered != self._recovered or not kafka_answers:
            self._recovered = recovered
            self.moved()
            return Verdict.WORKS
        self.stood_s += step
        if self.stood_s > self._lost_after_s:
            return Verdict.LOST
        if self.stood_s - self._told_at_s > self._stands_after_s:
            self._told_at_s = self.stood_s
            return Verdict.STANDS
        return Verdict.WORKS


def is_ready(app: faust.App) -> bool:
    """Whether the replica has its partitions, and their tables are here and complete."""
    return bool(app.tables.actives_ready) and not app.rebalancing


def recovered(app: faust.App) -> int:
    """How many changes of its tables the replica has read back, over all of its partitions."""
    if not app.tables.started:
        return 0
    offsets = _tables(app).recovery.active_offsets.values()
    return sum(offset + 1 for offset in offsets if offset is not None)


def recover_again(app: faust.App) -> None:
    """Begin anew a recovery that waits for changes: it goes on after the last one that came.

    They were fetched, and thrown away on the way: no later fetch brings them.
    """
    if is_ready(app) or not app.tables.started or not cast(Consumer, app.consumer).flow_active:
        return
    recovery = _tables(app).recovery
    if recovery.in_recovery and recovery.need_recovery():
        logger().warning("recovery stands: begun anew", code="recovery-stands")
        recovery.signal_recovery_start.set()


def _tables(app: faust.App) -> TableManager:
    return cast(TableManager, app.tables)
