"""Ingest put together from its ports: the journal, the store and the clock."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset

from services.ingest import commitment
from services.ingest.checks import Status
from services.ingest.deciding import Decider
from services.ingest.definitions import Deployed, deploy
from services.ingest.index import Index
from services.ingest.journal import Journal
from services.ingest.quiet import QuietTimes, Timer
from services.ingest.receiving import Destination, Receiver
from services.ingest.records import COMMITMENT, OWN
from services.ingest.recovery import open_index, resume
from services.ingest.scp import Admission, Calls, StorageScp
from services.ingest.settings import IngestSettings
from shared.bus.received import Received
from shared.catalog import Catalog, Topics
from shared.clock import Clock
from shared.events.models import DicomReady
from shared.store.port import PayloadStore

_INDEX = "index.sqlite"


@dataclass(frozen=True)
class Ingest:
    """The parts that a process drives: receive, decide, recognise."""

    receiver: Receiver
    quiet: QuietTimes
    decider: Decider
    journal: Journal
    index: Index
    clock: Clock
    timer: Timer

    def others_soon(self, within_s: float) -> bool:
        """Whether work that is not bulk begins within so many seconds."""
        return self.quiet.others_soon(self.timer(), within_s)

    def recognise(self, facts: Sequence[Received]) -> None:
        """Remember our own output, so that it makes no job when a PACS sends it back."""
        made = [
            fact.event.data.sop_instance_uid
            for fact in facts
            if isinstance(fact.event.data, DicomReady)
        ]
        unknown = [uid for uid in made if not self.index.is_own(uid)]
        if unknown:
            self.journal.decide(OWN, {"sop_instance_uids": unknown})
            self.index.add_own(unknown)

    def reported(self, information: Dataset) -> Status:
        """Keep what a destination says of our output, and tell it later."""
        report = commitment.reported(information)
        if report is None:
            return Status.SUCCESS
        name, now = commitment.report_id(report), self.clock().isoformat()
        meta: dict[str, Any] = {
            "report_id": name,
            "at": now,
            "report": report.model_dump(mode="json"),
        }
        try:
            self.journal.decide(COMMITMENT, meta)
            self.index.add_report(**meta)
        except (OSError, sqlite3.OperationalError):
            return Status.RESOURCE_LIMITATION
        return Status.SUCCESS

    def close(self) -> None:
        """Close the files; everything acknowledged is in them."""
        self.journal.close()
        self.index.close()


def assemble(
    settings: IngestSettings,
    catalog: Catalog,
    topics: Topics,
    store: PayloadStore,
    clock: Clock,
    timer: Timer,
) -> Ingest:
    """Open the journal, recover, and take up what was unfinished; what it raises leaves none open.

    Raises `OSError`, `sqlite3.OperationalError` or `Unavailable` where there is no room, or no
    store, and what `open_index` and `deploy` raise.
    """
    with ExitStack() as opened:
        journal = Journal(settings.journal_folder())
        opened.callback(journal.close)
        index = open_index(journal.folder / _INDEX, journal)
        opened.callback(index.close)
        quiet = QuietTimes(settings.release_s)
        resume(index, quiet, settings.quiet_time, timer())
        names = (route.pipeline for route in settings.aes.values())
        deployed = deploy(names, settings.pipelines, store, catalog, topics)
        reserve = settings.reserve_mb << 20
        destinations = _destinations(settings, deployed)
        receiver = Receiver(destinations, journal, index, quiet, clock, timer, reserve)
        definitions = {name: found.ref for name, found in deployed.items()}
        callers = frozenset(settings.callers)
        decider = Decider(
            receiver, journal, index, quiet, store, definitions, callers, clock, timer
        )
        opened.pop_all()
    return Ingest(receiver, quiet, decider, journal, index, clock, timer)


def _destinations(
    settings: IngestSettings, deployed: Mapping[str, Deployed]
) -> dict[str, Destination]:
    """By AE title: its pipeline's input, and how long its senders are quiet."""
    return {
        title: Destination(
            route, settings.quiet_time(title), deployed[route.pipeline].definition.input
        )
        for title, route in settings.aes.items()
    }


def listen(settings: IngestSettings, ingest: Ingest) -> StorageScp:
    """Open the port: from here on senders are answered."""
    receiver = ingest.receiver
    admission = Admission(
        called=frozenset(settings.aes) | {settings.own_ae},
        callers=frozenset(settings.callers),
        maximum=settings.maximum_associations,
        has_room=receiver.has_room,
    )
    calls = Calls(receiver.receive, ingest.reported, receiver.association_ended)
    scp = StorageScp((settings.dicom_host, settings.dicom_port), admission, calls)
    scp.start()
    return scp
