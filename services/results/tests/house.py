"""A ledger and a store that grow old in a moment, with studies whose payloads are alike."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from services.results.archive import Archive
from services.results.failures import Failures
from services.results.ledger import commitments, deliveries, outbox
from services.results.ledger.commitments import Unconfirmed
from services.results.ledger.deliveries import DeliveryStatus, Due
from services.results.pruning import Pruner, least_age
from services.results.requests import Desk
from services.results.tests.facts import RECEIVED, Story, intake_into, job
from services.results.views import PruneView
from shared.bus.received import Received
from shared.catalog import load_topics
from shared.clock import ManualClock
from shared.errors import Unavailable
from shared.events.models import Common, PayloadRef
from shared.store.folder import FolderStore

MONTH = timedelta(days=30)
LEAST = least_age(load_topics())


class SamePixels(Story):
    """The volumes of its versions are the same bytes."""

    def _payload(self, stage: str, port: str) -> PayloadRef:
        if port == "volume":
            return self.store.put(b"voxels", "application/x-metaimage")
        return super()._payload(stage, port)


class Echo(Story):
    """Its reader's volume is what ingest wrote, byte for byte."""

    def input_ready(self) -> Received:
        manifest = self.store.put(b"all slices", "application/json")
        return self._told(super().input_ready(), {"ingest.manifest": manifest})

    def _payload(self, stage: str, port: str) -> PayloadRef:
        if port == "volume":
            return self.store.put(b"all slices", "application/json")
        return super()._payload(stage, port)

    def _told(self, received: Received, more: dict[str, PayloadRef]) -> Received:
        data = received.event.data
        assert isinstance(data, Common)
        changed = data.model_copy(update={"payloads": {**data.payloads, **more}})
        return replace(received, event=replace(received.event, data=changed))


class Store(FolderStore):
    """A store in which everything is old, and which breaks off when it is told to."""

    breaks = False

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.root = root

    def age(self) -> None:
        for name in self.keys("artifacts/"):
            os.utime(self.root / name, (RECEIVED.timestamp(),) * 2)

    def discard(self, uri: str, before: datetime) -> bool:
        if self.breaks:
            raise Unavailable("store")
        return super().discard(uri, before)


class House:
    """A ledger and a store; what was delivered a month later is pruned."""

    def __init__(self, path: Path) -> None:
        self.clock, self.store = ManualClock(RECEIVED), Store(path / "payloads")
        self.intake = intake_into(path, self.store, self.clock)
        self.ledger = self.intake.ledger
        self.pruner = Pruner(self.ledger, self.store, self.clock, LEAST)

    def take(
        self,
        facts: Sequence[Received],
        end: DeliveryStatus = "delivered",
        *,
        announced: bool = True,
        transaction: str | None = None,
    ) -> None:
        """Facts; the deliveries that follow end so, and what is to be said is published."""
        self.intake.take(facts)
        now = self.clock()
        with self.ledger.transaction() as connection:
            for sent in deliveries.claim(connection, Due("pacs", job()), now, "me"):
                deliveries.settle(connection, sent, "me", end, None, None, now)
                if transaction:
                    about = [Unconfirmed(sent.sop_class_uid, sent.sop_instance_uid, 0)]
                    commitments.asking(connection, Due("pacs", job()), about, transaction)
            letters = outbox.unsent(connection) if announced else []
            outbox.mark_sent(connection, [letter.seq for letter in letters], now)

    def prune(self, *, dry_run: bool = False) -> PruneView:
        """Soon after a month."""
        self.clock.advance(31 * 86400)
        self.store.age()
        return self.pruner.prune(MONTH, dry_run=dry_run)

    def desk(self) -> Desk:
        return Desk(self.ledger, self.intake.concluder, self.clock)

    def failures(self) -> Failures:
        archive = Archive(self.ledger, self.store, self.intake.concluder.definitions)
        return Failures(archive, self.desk())

    def artifacts(self) -> set[str]:
        return set(self.store.keys("artifacts/"))


def places(facts: Sequence[Received]) -> dict[str, str]:
    """Where each payload lies that facts tell of, by its name."""
    told = [received.event.data for received in facts]
    each = [data.payloads for data in told if isinstance(data, Common)]
    return {name: ref.uri for refs in each for name, ref in refs.items()}
