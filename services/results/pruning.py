"""Removes what belongs to jobs that ended long ago: payloads, outcomes, notes of attempts.

Their rows in the ledger stay, and so does whatever is still to be delivered, confirmed by its
destination or looked at by a person.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.results.ledger import pruning
from services.results.ledger.database import Ledger
from services.results.views import PruneView
from shared.bus import attempts, outcomes, removed
from shared.clock import Clock
from shared.store.port import PayloadStore
from shared.telemetry.logs import logger

LEAST = timedelta(days=1)
"""Events of younger jobs may still be on their way, or be replayed from the topics."""
_AT_ONCE = 100


@dataclass(frozen=True)
class Pruner:
    """Prunes some jobs at a time. Raises `Unavailable` when ledger or store are down.

    `committing` are the destinations that are asked to commit themselves.
    """

    ledger: Ledger
    store: PayloadStore
    clock: Clock
    committing: tuple[str, ...]

    def prune(self, older_than: timedelta, *, dry_run: bool = False) -> PruneView:
        """Prune the oldest that may be, at most 100 jobs; or say what would be pruned of all.

        What a crash interrupts is taken up by the next call.
        """
        before = self.clock() - max(older_than, LEAST)
        chosen, kept, left = self._choose(before, dry_run=dry_run)
        with self.ledger.reading() as connection:
            gone = sorted({*chosen, *pruning.begun(connection)})
            found = pruning.payloads(connection, gone)
            for job_id in gone:
                notes = attempts.of_job(self.store, job_id)
                found |= {note.details.uri: note.details.size for note in notes}
            stays = pruning.others_keep(connection, found, gone)
        alone = {uri: size for uri, size in found.items() if uri not in stays}
        if not dry_run:
            alone = {uri: size for uri, size in alone.items() if self.store.discard(uri, before)}
            self._forget(gone)
            logger().info("pruned", jobs=len(gone), payloads=len(alone))
        return PruneView(
            dry_run=dry_run, before=before, jobs=gone, payloads=len(alone),
            bytes=sum(alone.values()), kept=dict(sorted(kept.items())), more=left,
        )  # fmt: skip

    def _choose(
        self, before: datetime, *, dry_run: bool
    ) -> tuple[Sequence[str], Counter[str], bool]:
        """The jobs to prune, why others stay, and whether there may be more to choose from."""
        with self.ledger.reading() as connection:
            candidates = pruning.old(connection, before)
        chosen: list[str] = []
        kept: Counter[str] = Counter()
        for job_id in candidates:
            if len(chosen) == _AT_ONCE and not dry_run:
                return chosen, kept, True
            with self.ledger.transaction() as connection:
                why = pruning.needed_for(connection, job_id, before, self.committing)
                if why is None and not dry_run:
                    pruning.mark(connection, job_id, "begun")
            if why:
                kept[why] += 1
            else:
                chosen.append(job_id)
        return chosen, kept, False

    def _forget(self, job_ids: Sequence[str]) -> None:
        for key in self._keys(frozenset(job_ids)):
            self.store.delete(key)
        for job_id in job_ids:
            removed.note(self.store, job_id)
        with self.ledger.transaction() as connection:
            for job_id in job_ids:
                pruning.mark(connection, job_id, "done")

    def _keys(self, job_ids: frozenset[str]) -> Iterator[str]:
        """What the bus has written down about units of these jobs, marks of starts included."""
        yield from attempts.marks_of(self.store, job_ids)
        for job_id in job_ids:
            for folder in (outcomes.folder(job_id), attempts.folder(job_id)):
                yield from self.store.keys(folder)
