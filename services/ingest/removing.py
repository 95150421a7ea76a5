"""Lets go of what was received of a case when every job of it was pruned.

A case's versions share its segments, so they go together, and only when nothing has come that is
still to be decided. The decisions stay: the same study again makes nothing new.
"""

from dataclasses import dataclass

from services.ingest.index import Index
from services.ingest.journal import Journal
from services.ingest.receiving import Receiver
from services.ingest.records import REMOVED
from shared.bus import removed
from shared.store.port import PayloadStore
from shared.telemetry.logs import logger


@dataclass(frozen=True)
class Remover:
    """Used by the thread that decides."""

    receiver: Receiver
    journal: Journal
    index: Index
    store: PayloadStore

    def round(self) -> int:
        """Take over which jobs were pruned, and remove what that leaves to nobody; how many cases.

        Raises `Unavailable("store")`, `OSError` or `sqlite3.Error`; the next round goes on.
        """
        for job_id in removed.jobs(self.store):
            self.journal.decide(REMOVED, {"name": job_id})
            self.index.add_removed(job_id)
            removed.forget(self.store, job_id)
        return sum(self._remove(case) for case in self.index.removable())

    def _remove(self, case: str) -> bool:
        """The files first: what a crash leaves of them, the index still knows."""
        with self.receiver.lock(case):
            if case not in self.index.removable():  # something has come just now
                return False
            self.journal.seal(case)
            names = self.index.segments(case)
            for name in names:
                ref = self.index.segment_ref(name)
                if ref:
                    self.store.delete(ref.uri)
                self.journal.remove(name)
            self.index.remove_arrivals(case)
        logger().info("input removed", case=case, segments=len(names))
        return True
