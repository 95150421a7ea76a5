"""The outbox: each decided version is published until that has succeeded, then marked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingest import commitment
from services.ingest.announcing import KIND
from services.ingest.cases import partition
from services.ingest.index import Index, Kept
from services.ingest.journal import Journal
from services.ingest.records import PUBLISHED
from services.ingest.spans import publish_traceparent, record_spans
from shared import identity
from shared.clock import Clock
from shared.events.models import CommitmentReported, InputReady, Lane
from shared.events.wire import Event
from shared.telemetry.logs import logger

SOURCE = "ingest"
Publish = Callable[[Event, Lane | None, int | None], Awaitable[None]]
"""Returns when the bus has the event for sure; waits while it does not answer."""


@dataclass(frozen=True)
class Outbox:
    """Publishes in the order of decision; used by one task."""

    publish: Publish
    journal: Journal
    index: Index
    partitions: int
    clock: Clock

    async def flush(self) -> int:
        """Publish what nobody has been told of; gives how many."""
        waiting, reports = self.index.unpublished(), self.index.unpublished_reports()
        for kept in waiting:
            await self._announce(kept)
        for name, at, report in reports:
            data = CommitmentReported.model_validate(report)
            transaction = data.transaction_uid
            told = Event(name, SOURCE, commitment.KIND, transaction, at, "", data)
            await self.publish(told, None, partition(name, self.partitions))
            self._mark(name)
        return len(waiting) + len(reports)

    def _mark(self, name: str) -> None:
        self.journal.decide(PUBLISHED, {"name": name})
        self.index.published(name)

    async def _announce(self, kept: Kept) -> None:
        ready = InputReady.model_validate(kept.announcement["ready"])
        started = self.clock()
        where = partition(ready.case_id, self.partitions)
        await self.publish(event(ready, kept.announcement), ready.lane, where)
        record_spans(ready, kept.announcement, started, self.clock())
        self._mark(ready.job_id)
        logger().info("version published", job=ready.job_id, lane=str(ready.lane))


def event(ready: InputReady, announcement: dict[str, Any]) -> Event:
    """The same event however often it is published."""
    return Event(
        id=identity.event_id(ready.job_id, ready.run, ready.stage, KIND),
        source=SOURCE,
        kind=KIND,
        subject=ready.job_id,
        time=datetime.fromisoformat(announcement["decided_at"]),
        traceparent=publish_traceparent(ready.job_id),
        data=ready,
    )
