"""From a scanner to the end and a month on: real journal, ledger and files, and what is left."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from services.ingest.assembly import Ingest, listen
from services.ingest.publishing import Outbox
from services.ingest.scp import StorageScp
from services.ingest.tests.conftest import settled, started
from services.ingest.tests.instances import ct, send
from services.results.conclude import Concluder
from services.results.definitions import Definitions
from services.results.intake import Intake
from services.results.ledger import outbox
from services.results.ledger.database import Ledger
from services.results.ledger.record import KINDS
from services.results.pruning import Pruner
from services.results.unread import Unread
from shared.bus.received import Received
from shared.clock import ManualClock, system_clock
from shared.events.models import MeasurementReady
from shared.manifest import read as read_manifest
from shared.store.folder import FolderStore
from shared.testing import toy
from shared.testing.stages import Rig, assemble

MONTH = timedelta(days=30)


@dataclass
class Hospital:
    """The toy pipeline between ingest's real journal and results' real ledger, in one folder."""

    folder: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(system_clock()))

    def __post_init__(self) -> None:
        settings = settled(self.folder)
        self.store = FolderStore(self.folder / "payloads")
        self.ingest: Ingest = started(settings, self.store, self.clock)
        self.scp: StorageScp = listen(settings, self.ingest)
        self.rig: Rig = assemble(
            toy.CATALOG, toy.topics(), self.store, toy.ports(self.store), self.clock
        )
        self.ledger = Ledger(f"sqlite:///{self.folder}/ledger.db")
        self.ledger.migrate()
        intake = Intake(self.ledger, Concluder(Definitions(self.store), self.clock))

        async def take(received: Received) -> None:
            intake.take([received])

        self.rig.bus.subscribe(KINDS, take)
        self.pruner = Pruner(self.ledger, self.store, self.clock, ())

    async def analyse(self, *numbers: int) -> str:
        """Slices are sent, and analysed to the end; the job."""
        send(self.scp.port, [ct(number) for number in numbers])
        self.clock.advance(6)
        self.ingest.decider.decide_due()
        journal, index = self.ingest.journal, self.ingest.index
        told = Outbox(self.rig.bus.publish, journal, index, self.store, 4, self.clock)
        await told.flush()
        await self.rig.bus.settle()
        with self.ledger.transaction() as connection:
            letters = outbox.unsent(connection)
            outbox.mark_sent(connection, [letter.seq for letter in letters], self.clock())
        Unread(self.ledger, self.store, self.clock, timedelta(minutes=1)).round()
        return self.rig.bus.events("input-ready")[-1].subject

    def files(self) -> set[str]:
        """What lies in store and journal, but for what ingest decided."""
        folders = (self.folder / "payloads", self.ingest.journal.folder)
        found = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
        names = {path.name for path in found}
        return {name for name in names if not name.startswith(("decisions", "index", "lock"))}

    def close(self) -> None:
        self.scp.close()
        self.ingest.close()
        self.ledger.close()


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    found = Hospital(tmp_path)
    yield found
    found.close()


async def test_of_a_study_of_last_month_nothing_is_left_but_its_definition(
    hospital: Hospital,
) -> None:
    nothing_yet = hospital.files()
    job = await hospital.analyse(1, 2)
    made = hospital.files() - nothing_yet
    hospital.clock.advance(31 * 86_400)
    assert hospital.pruner.prune(MONTH).jobs == [job]
    hospital.ingest.remover.round()
    assert len(made) > 8
    assert {Path(name).suffix for name in nothing_yet} == {".yaml"}
    assert hospital.files() == nothing_yet


async def test_a_study_of_today_is_whole_after_one_of_last_month_has_gone(
    hospital: Hospital,
) -> None:
    old = await hospital.analyse(1, 2)
    hospital.clock.advance(31 * 86_400)
    young = await hospital.analyse(3)  # the next version, of all three
    pruned = hospital.pruner.prune(MONTH)
    hospital.ingest.remover.round()
    assert (pruned.jobs, young != old) == ([old], True)
    last = hospital.rig.bus.events("measurement-ready")[-1].data
    assert isinstance(last, MeasurementReady)
    manifest = read_manifest(last.payloads["ingest.manifest"], hospital.store)
    for ref in (*last.payloads.values(), *manifest.segments):
        assert hospital.store.path(ref).stat().st_size == ref.size
    assert (len(manifest.segments), await hospital.analyse(1, 2, 3)) == (2, young)
