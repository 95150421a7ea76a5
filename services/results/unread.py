"""Makes good an input-ready that was lost before it was read here: nobody else misses the job."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.results.ledger import standing
from services.results.ledger.database import Ledger
from services.results.passing import passing_over
from services.results.restarting import doubled
from shared.bus import announced
from shared.bus.announced import Announced
from shared.bus.received import Publisher, publish_if_it_fits
from shared.clock import Clock
from shared.store.port import PayloadStore
from shared.telemetry.attributes import JOB
from shared.telemetry.logs import logger


@dataclass(frozen=True)
class Wait:
    """When a job that the ledger lacks is announced again, and how often it was."""

    due: datetime
    times: int = 0


@dataclass
class Unread:
    """Compares what ingest has announced with the ledger.

    The time when this process did not read doesn't count: it begins with the first look.
    """

    ledger: Ledger
    store: PayloadStore
    clock: Clock
    patience: timedelta
    _waits: dict[str, Wait] = field(default_factory=dict)

    def round(self) -> list[Announced]:
        """Forget the announcements that the ledger has; those to be published again.

        First after `patience`, then twice that, then four times … Raises `Unavailable` while
        ledger or store are down.
        """
        lacking = self._lacking()
        now = self.clock()
        first = Wait(now + self.patience)
        self._waits = {job_id: self._waits.get(job_id, first) for job_id in lacking}
        due = [job_id for job_id, wait in self._waits.items() if now >= wait.due]
        for job_id in due:
            times = self._waits[job_id].times + 1
            self._waits[job_id] = Wait(now + doubled(self.patience, times), times)
        return [found for job_id in due if (found := self._announced(job_id))]

    def _announced(self, job_id: str) -> Announced | None:
        """One that is not understood, of an ingest of another make, or that can't be read, keeps no
        other back.
        """
        with passing_over(job_id, self.store):
            return announced.read(self.store, job_id)
        return None

    def _lacking(self) -> list[str]:
        jobs = announced.jobs(self.store)
        with self.ledger.reading() as connection:
            known = standing.requested(connection, jobs)
        for job_id in known:
            announced.remove(self.store, job_id)
        return [job_id for job_id in jobs if job_id not in known]


async def publish_again(found: list[Announced], publisher: Publisher) -> None:
    """The same events in the same places."""
    for each in found:
        logger().warning("announced again", **{JOB: each.data.job_id})
        await publish_if_it_fits(publisher, each.event, each.data.lane, each.partition)
