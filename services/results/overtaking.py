"""Tells a run that was passed over from one that only queues.

A stage takes the work of one lane and partition in the order in which it was published. So whoever
sees work end there that came later than a run's own knows that no queue explains its waiting; and
whoever sees older work end knows that the queue moves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.results.ledger import standing
from services.results.ledger.database import Ledger
from services.results.ledger.standing import End, Open
from services.results.progress import Holder
from shared.pipelines.definition import Definition

QUEUE_PATIENCE = 10
"""So many times the patience that a stage rests explains the waiting, however long its work is."""


@dataclass(frozen=True)
class Look:
    """When somebody looks, since when, and how long it is no wonder that nothing ends."""

    now: datetime
    watching_since: datetime
    patience: timedelta

    def seen(self, moment: datetime) -> datetime:
        """A moment since somebody looks: what was before, or lies ahead of a clock that was set
        back, counts from there.
        """
        return max(moment, self.watching_since) if moment <= self.now else self.watching_since


@dataclass(frozen=True)
class Queues:
    """What stages have ended since then. Each is asked after once: have a new one for each look."""

    ledger: Ledger
    since: datetime
    _found: dict[tuple[str, str, frozenset[str]], Mapping[tuple[int, str], Sequence[End]]] = field(
        default_factory=dict, init=False, repr=False
    )
    _longest: dict[tuple[str, str], timedelta] = field(default_factory=dict, init=False, repr=False)

    def explain(
        self, run: Open, definition: Definition, at: Holder, look: Look, *, patient: bool
    ) -> bool:
        """Whether the stage's queues explain that nothing is heard of a run which waits for it.

        The run's own does while it rests no longer than the stage's work may take, unless something
        ended there that came later. Where others alone move it may stand behind them, so far as one
        is `patient`.
        """
        if self.behind(run, definition, at):
            return False
        rest = self._rest(at, look.patience)
        own = [end.at for end in self._own(run, definition, at)]
        if look.now - max(map(look.seen, [at.since, *own])) < rest:
            return True
        others = [end.at for ends in self._of(definition, at).values() for end in ends]
        moved = max(map(look.seen, others), default=None)
        return patient and moved is not None and look.now - moved < rest

    def _rest(self, at: Holder, patience: timedelta) -> timedelta:
        """How long nothing may end while the stage works: twice what it has taken of late."""
        asked = (at.stage, at.service)
        if asked not in self._longest:
            with self.ledger.reading() as connection:
                self._longest[asked] = standing.longest_work(connection, *asked)
        return min(max(patience, 2 * self._longest[asked]), QUEUE_PATIENCE * patience)

    def behind(self, run: Open, definition: Definition, at: Holder) -> list[datetime]:
        """When work ended that came later than the run's, or than it was last published again."""
        place = max(at.since, run.restarted_at or at.since)
        return [end.at for end in self._own(run, definition, at) if end.came > place]

    def _own(self, run: Open, definition: Definition, at: Holder) -> Sequence[End]:
        """What ended in the queue in which the run waits, in its order.

        A lane that a person chose after the run had begun says nothing of its place there.
        """
        if run.partition is None or run.chosen_lane:
            return ()
        return self._of(definition, at).get((run.partition, run.lane.value), ())

    def _of(self, definition: Definition, at: Holder) -> Mapping[tuple[int, str], Sequence[End]]:
        asked = (at.stage, at.service, definition.sources[at.stage])
        if asked not in self._found:
            with self.ledger.reading() as connection:
                self._found[asked] = standing.ends(connection, *asked, self.since)
        return self._found[asked]
