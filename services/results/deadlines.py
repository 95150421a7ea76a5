"""Ends the runs whose deadline has passed, and that neither queue nor outage explains."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from services.results.conclude import Concluder
from services.results.definitions import Definitions
from services.results.ledger import standing
from services.results.ledger.database import Ledger
from services.results.ledger.standing import Open
from services.results.overtaking import Queues
from services.results.passing import passing_over
from services.results.progress import holders
from shared.pipelines.definition import Definition

_QUEUED = 20
"""So many deadlines a run may wait: some hours."""
_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True)
class _Due:
    """A run whose deadline has passed since it began, or since somebody looks."""

    run: Open
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
    due = list(_due(ledger, concluder.definitions, watching_since, now))
    queues = Queues(ledger, min((each.since for each in due), default=now))
    late = [each.run for each in due if _is_late(each, queues, now)]
    for run in late:
        with (
            passing_over(run.job_id, concluder.definitions.store),
            ledger.transaction() as connection,
        ):
            concluder.conclude(connection, run.job_id, run.run, stop="deadline")
    return len(late)


def _due(
    ledger: Ledger, definitions: Definitions, watching_since: datetime, now: datetime
) -> Iterator[_Due]:
    with ledger.reading() as connection:
        references = standing.definitions(connection)
    for stored, definition in definitions.of_open(references).items():
        deadline = timedelta(seconds=definition.deadline)
        if now >= watching_since + deadline:
            with ledger.reading() as connection:
                begun = standing.begun(connection, stored, now - deadline)
            yield from (_Due(run, definition, max(run.began, watching_since)) for run in begun)


def _is_late(due: _Due, queues: Queues, now: datetime) -> bool:
    """Whether work that came behind the run's has been ending for a deadline.

    A run that is only queued behind others is not late, nor is one whose stage ends nobody's work
    because something is down: all that wait would fail for nothing, and their work is done when it
    is back. But neither queue nor outage explains `_QUEUED` deadlines.
    """
    if now >= due.since + _QUEUED * due.deadline:
        return True
    known = due.run.known
    return any(
        _worked(queues.behind(due.run, due.definition, held)) >= due.deadline
        for held in holders(due.definition, known.facts, known.ends, due.run.began)
    )


def _worked(ends: Iterable[datetime]) -> timedelta:
    """How long work has been ending: of a pause, only as much as one may be without an outage."""
    return sum((min(later - end, _PAUSE) for end, later in pairwise(ends)), timedelta())
