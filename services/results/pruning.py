"""Removes what stages made for jobs that ended long ago: payloads, outcomes, notes of attempts.

Their rows in the ledger stay, and their input, so that each can be run again; and so does whatever
is still to be delivered, confirmed by its destination or looked at by a person.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from services.results.ledger import pruning
from services.results.ledger.database import Ledger
from services.results.views import PruneView
from shared.bus import attempts, outcomes
from shared.catalog import Topics
from shared.clock import Clock
from shared.store.port import PayloadStore
from shared.telemetry.logs import logger

_AT_ONCE = 100
_ROLLED = timedelta(days=1)
"""A broker drops an event with those beside it, which are up to half a day younger."""


def least_age(topics: Topics) -> timedelta:
    """How long any job is left alone: an event that wakes a stage may be read again.

    It would find neither the outcome nor what the stage before had made, and fail the job.
    """
    wake = [topic.retention_hours or 0 for topic in topics.topics.values() if topic.carries]
    return timedelta(hours=max(wake, default=0)) + _ROLLED


@dataclass(frozen=True)
class Pruner:
    """Prunes some jobs at a time. Raises `Unavailable` when ledger or store are down.

    `clock` is the one that all replicas share.
    """

    ledger: Ledger
    store: PayloadStore
    clock: Clock
    least: timedelta

    def prune(
        self, older_than: timedelta, *, after: str | None = None, dry_run: bool = False
    ) -> PruneView:
        """Prune what may be of the next 100 jobs; or say what would be pruned of all.

        `after` is where the call before has left off. What a crash interrupts is taken up by the
        next call.
        """
        before = self.clock() - max(older_than, self.least)
        with self.ledger.reading() as connection:
            limit = None if dry_run else _AT_ONCE
            candidates = pruning.old(connection, before, after, limit)
        chosen, kept = self._choose(candidates, before, dry_run=dry_run)
        with self.ledger.reading() as connection:
            doomed = pruning.begun(connection)
            gone = sorted({*chosen, *doomed})
            found = self._found(connection, gone)
            stays = pruning.others_keep(connection, found, gone)
        alone = {uri: size for uri, size in found.items() if uri not in stays}
        if not dry_run:
            alone = {uri: size for uri, size in alone.items() if self.store.discard(uri, before)}
            self._forget(doomed)
            logger().info("pruned", jobs=len(gone), payloads=len(alone))
        return PruneView(
            dry_run=dry_run, before=before, jobs=gone, payloads=len(alone),
            bytes=sum(alone.values()), kept=dict(sorted(kept.items())),
            next=candidates[-1] if len(candidates) == limit else None,
        )  # fmt: skip

    def _choose(
        self, candidates: Sequence[str], before: datetime, *, dry_run: bool
    ) -> tuple[Sequence[str], Counter[str]]:
        """The jobs to prune, and why others stay."""
        chosen: list[str] = []
        kept: Counter[str] = Counter()
        for job_id in candidates:
            why = self._needed_for(job_id, before) if dry_run else self._begin(job_id, before)
            if why:
                kept[why] += 1
            else:
                chosen.append(job_id)
        return chosen, kept

    def _needed_for(self, job_id: str, before: datetime) -> str | None:
        with self.ledger.reading() as connection:
            return pruning.needed_for(connection, job_id, before)

    def _begin(self, job_id: str, before: datetime) -> str | None:
        """Have it pruned unless it is needed."""
        with self.ledger.transaction() as connection:
            why = pruning.needed_for(connection, job_id, before, lock=True)
            if why is None:
                pruning.begin(connection, job_id)
        return why

    def _found(self, connection: Connection, job_ids: Sequence[str]) -> dict[str, int]:
        """What stages made, and what their failed attempts have said."""
        found = pruning.payloads(connection, job_ids)
        for job_id in job_ids:
            notes = attempts.of_job(self.store, job_id)
            found |= {note.details.uri: note.details.size for note in notes}
        return found

    def _forget(self, last_runs: Mapping[str, int]) -> None:
        for key in self._keys(last_runs):
            self.store.delete(key)
        with self.ledger.transaction() as connection:
            for job_id in last_runs:
                pruning.end(connection, job_id)

    def _keys(self, last_runs: Mapping[str, int]) -> Iterator[str]:
        """What the bus has written down about units of these runs, marks of starts included.

        Never of a later run: it was asked for when another replica had ended the removal.
        """
        for key in attempts.marks_of(self.store, last_runs.keys()):
            _, job_id, run = key.replace("/", ".").split(".")[:3]
            if int(run) <= last_runs[job_id]:
                yield key
        for job_id, last in last_runs.items():
            for folder in (outcomes.folder(job_id), attempts.folder(job_id)):
                for key in self.store.keys(folder):
                    if int(key.removeprefix(folder).partition("/")[0]) <= last:
                        yield key
