"""Ends the runs whose deadline has passed, and that neither queue nor outage explains."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from services.results.conclude import Concluder
from services.results.definitions import Definitions
from services.results.ledger import standing
from services.results.ledger.database import Ledger
from services.results.ledger.runs import StoredRun
from services.results.ledger.standing import Known
from services.results.overtaking import Queues
from services.results.passing import passing_over
from services.results.progress import holders
from shared.pipelines.definition import Definition

_JUMP_S = 60.0
_QUEUED = 20
"""So many deadlines a run may wait: some hours."""
_PAUSE = timedelta(minutes=1)


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


@dataclass(frozen=True)
class _Due:
    """A run whose deadline has passed since it began, or since somebody looks."""

    run: StoredRun
    definition: Definition
    since: datetime

    @property
    def deadline(self) -> timedelta:
        return timedelta(seconds=self.definition.deadline)


def sweep(ledger: Ledger, concluder: Concluder, watching_since: datetime) -> int:
    """Stop every run that is late; how many there were.

    Time before `watching_since` doesn't count: after an outage of the whole system the events
    that would have ended the runs are still on their way.
    """
    now = concluder.clock()
    with ledger.reading() as connection:
        running = [run for run, _ in standing.running(connection)]
        known = standing.known(connection)
    due = list(_due(running, concluder.definitions, watching_since, now))
    queues = Queues(ledger, min((each.since for each in due), default=now))
    nothing, store = standing.Known(), concluder.definitions.store
    late = [
        each.run
        for each in due
        if _is_late(each, known.get((each.run.job_id, each.run.run), nothing), queues, now)
    ]
    for run in late:
        with passing_over(run.job_id, store), ledger.transaction() as connection:
            concluder.conclude(connection, run.job_id, run.run, stop="deadline")
    return len(late)


def _due(
    running: Iterable[StoredRun], definitions: Definitions, watching_since: datetime, now: datetime
) -> Iterator[_Due]:
    for run in running:
        definition = _definition(run, definitions)
        if definition and run.started_at:
            due = _Due(run, definition, max(run.started_at, watching_since))
            if now >= due.since + due.deadline:
                yield due


def _definition(run: StoredRun, definitions: Definitions) -> Definition | None:
    with passing_over(run.job_id, definitions.store):
        return definitions.get(run.definition)
    return None


def _is_late(due: _Due, known: Known, queues: Queues, now: datetime) -> bool:
    """Whether work that came behind the run's has been ending for a deadline.

    A run that is only queued behind others is not late, nor is one whose stage ends nobody's work
    because something is down: all that wait would fail for nothing, and their work is done when it
    is back. But neither queue nor outage explains `_QUEUED` deadlines.
    """
    if now >= due.since + _QUEUED * due.deadline:
        return True
    began = due.run.started_at or due.since
    return any(
        _worked(queues.behind(due.run, due.definition, held)) >= due.deadline
        for held in holders(due.definition, known.facts, known.ends, began)
    )


def _worked(ends: Iterable[datetime]) -> timedelta:
    """How long work has been ending: of a pause, only as much as one may be without an outage."""
    return sum((min(later - end, _PAUSE) for end, later in pairwise(ends)), timedelta())
