"""The outbox: each decided version is published until that has succeeded, then marked."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from services.ingest import commitment
from services.ingest.cases import partition
from services.ingest.index import Index, Kept
from services.ingest.journal import Journal
from services.ingest.records import PUBLISHED
from services.ingest.spans import publish_traceparent, record_spans
from shared import identity
from shared.bus.announced import KIND, Announced, keep
from shared.clock import Clock
from shared.events.models import CommitmentReported, InputReady, Lane
from shared.events.wire import Event
from shared.store.port import PayloadStore
from shared.telemetry.logs import logger

SOURCE = "ingest"
Publish = Callable[[Event, Lane | None, int | None], Awaitable[object]]
"""Returns when the bus has the event for sure, or never will; waits while it does not answer."""


@dataclass(frozen=True)
class Outbox:
    """Publishes in the order of decision; used by one task.

    What is announced lies in the store first: an event that is lost before results has read it
    is missed by nobody else.
    """

    publish: Publish
    journal: Journal
    index: Index
    store: PayloadStore
    partitions: int
    clock: Clock
    unmarked: set[str] = field(default_factory=set, init=False)
    """What was published and could not be noted yet: not published again by this process."""

    async def flush(self) -> int:
        """Publish what nobody has been told of; gives how many waited.

        Raises `Unavailable("store")`; what was not published waits. Raises `OSError` or
        `sqlite3.OperationalError`, after all were published, when that could not be noted.
        """
        waiting, trouble = self._waiting(), None
        for name, tell in waiting:
            if name not in self.unmarked:
                await tell()
                self.unmarked.add(name)
            trouble = trouble or self._mark(name)
        if trouble:
            raise trouble
        return len(waiting)

    def _waiting(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        """The name of each that waits, and what tells it."""
        versions = [
            (kept.version.job_id, partial(self._announce, kept))
            for kept in self.index.unpublished()
        ]
        reports = [
            (name, partial(self._report, name, at, report))
            for name, at, report in self.index.unpublished_reports()
        ]
        return [*versions, *reports]

    def _mark(self, name: str) -> OSError | sqlite3.OperationalError | None:
        """Note it in the journal; gives what kept it from that."""
        try:
            self.journal.decide(PUBLISHED, {"name": name})
            self.index.published(name)
        except (OSError, sqlite3.OperationalError) as error:
            return error
        self.unmarked.discard(name)
        return None

    async def _report(self, name: str, at: datetime, report: dict[str, Any]) -> None:
        where = partition(name, self.partitions)
        for data in commitment.parts(CommitmentReported.model_validate(report)):
            part, transaction = commitment.report_id(data), data.transaction_uid
            told = Event(part, SOURCE, commitment.KIND, transaction, at, "", data)
            await self.publish(told, None, where)

    async def _announce(self, kept: Kept) -> None:
        ready = InputReady.model_validate(kept.announcement["ready"])
        started = self.clock()
        told = announced(ready, kept.announcement, partition(ready.case_id, self.partitions))
        await asyncio.to_thread(keep, self.store, told)
        await self.publish(told.event, ready.lane, told.partition)
        record_spans(ready, kept.announcement, started, self.clock())
        logger().info("version published", job=ready.job_id, lane=str(ready.lane))


def announced(ready: InputReady, announcement: dict[str, Any], where: int) -> Announced:
    """The same event however often it is published."""
    return Announced(
        id=identity.event_id(ready.job_id, ready.run, ready.stage, KIND),
        time=datetime.fromisoformat(announcement["decided_at"]),
        traceparent=publish_traceparent(ready.job_id),
        partition=where,
        data=ready,
    )
