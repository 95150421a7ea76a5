"""Ingest in one process: a real port, a real journal, the store and the bus in memory."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.ingest.assembly import Ingest, assemble, listen
from services.ingest.publishing import Outbox
from services.ingest.scp import StorageScp
from services.ingest.settings import IngestSettings, Route
from shared.bus.memory import MemoryBus
from shared.clock import ManualClock
from shared.events.models import InputReady, Lane
from shared.manifest import Manifest
from shared.manifest import read as read_manifest
from shared.store.memory import MemoryStore
from shared.store.port import PayloadStore
from shared.testing import toy

AES = {
    "COVID19": Route(pipeline="toy"),
    "COVID19STAT": Route(pipeline="toy", lane=Lane.STAT),
    "COVID19BULK": Route(pipeline="toy", lane=Lane.BULK),
    "BYSERIES": Route(pipeline="toy", group="series"),
}


def started(settings: IngestSettings, store: PayloadStore, clock: ManualClock) -> Ingest:
    """Ingest whose timer is moved by its clock."""

    def timer() -> float:
        return clock().timestamp()

    return assemble(settings, toy.CATALOG, toy.topics(), store, clock, timer)


@dataclass
class House:
    """One ingest with its neighbours; `restart` is what a crash and a new start leave."""

    settings: IngestSettings
    store: MemoryStore
    bus: MemoryBus
    clock: ManualClock
    ingest: Ingest
    scp: StorageScp

    def quiet(self, seconds: float = 5.1) -> list[InputReady]:
        """Let time pass, decide and publish; gives every input-ready so far."""
        self.clock.advance(seconds)
        self.ingest.decider.decide_due()
        self.publish()
        return self.published()

    def publish(self, store: PayloadStore | None = None) -> None:
        journal, index = self.ingest.journal, self.ingest.index
        outbox = Outbox(self.bus.publish, journal, index, store or self.store, 4, self.clock)
        asyncio.run(outbox.flush())

    def published(self) -> list[InputReady]:
        found = [event.data for event in self.bus.events("input-ready")]
        return [data for data in found if isinstance(data, InputReady)]

    def manifest(self, ready: InputReady) -> Manifest:
        return read_manifest(ready.payloads["ingest.manifest"], self.store)

    def restart(self) -> None:
        """Nothing is closed in order: the files are as a kill leaves them."""
        self.ingest = started(self.settings, self.store, self.clock)
        self.scp.close()
        self.scp = listen(self.settings, self.ingest)


def settled(folder: Path) -> IngestSettings:
    """Settings of an ingest in `folder`, with a pipeline that needs no other service's folder."""
    (folder / "toy.yaml").write_text(toy.DEFINITION_TEXT)
    return IngestSettings(
        spool=folder / "spool", dicom_port=0, aes=AES, reserve_mb=0, pipelines=folder
    )


@pytest.fixture
def settings(tmp_path: Path) -> IngestSettings:
    return settled(tmp_path)


@pytest.fixture
def house(settings: IngestSettings) -> Iterator[House]:
    store, clock = MemoryStore(), ManualClock()
    ingest = started(settings, store, clock)
    house = House(settings, store, MemoryBus(), clock, ingest, listen(settings, ingest))
    yield house
    house.scp.close()
    house.ingest.close()
