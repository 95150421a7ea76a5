"""From a scanner to the end and a month on: what came in is left, and makes all else again."""

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
from services.results.pruning import Pruner, least_age
from services.results.requests import Desk
from services.results.unread import Unread
from shared.bus.received import Received
from shared.clock import ManualClock, system_clock
from shared.events.models import InputReady, MeasurementReady
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
        concluder = Concluder(Definitions(self.store), self.clock)
        intake, self.desk = Intake(self.ledger, concluder), Desk(self.ledger, concluder, self.clock)

        async def take(received: Received) -> None:
            intake.take([received])

        self.rig.bus.subscribe(KINDS, take)
        self.pruner = Pruner(self.ledger, self.store, self.clock, least_age(toy.topics()))

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

    async def publish(self) -> None:
        """What results has to say, and what comes of it."""
        with self.ledger.reading() as connection:
            letters = outbox.unsent(connection)
        for letter in letters:
            await self.rig.bus.publish(letter.event, lane=letter.lane, partition=letter.partition)
        await self.rig.bus.settle()

    def last(self) -> MeasurementReady:
        """What the pipeline has come to last."""
        data = self.rig.bus.events("measurement-ready")[-1].data
        assert isinstance(data, MeasurementReady)
        return data

    def bytes_of_last(self) -> dict[str, bytes]:
        return {name: self.store.get(ref) for name, ref in self.last().payloads.items()}

    def came_in(self) -> set[str]:
        """Of the files, those that ingest wrote, and what stages read them by."""
        ready = [event.data for event in self.rig.bus.events("input-ready")]
        told = [data.payloads for data in ready if isinstance(data, InputReady)]
        names = {Path(ref.uri).name for refs in told for ref in refs.values()}
        manifest = read_manifest(self.last().payloads["ingest.manifest"], self.store)
        segments = {Path(ref.uri).name for ref in manifest.segments}
        journal = {path.name for path in self.ingest.journal.folder.rglob("*")}
        return self.files() & (names | segments | journal)

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


async def test_of_a_study_of_last_month_what_came_in_is_left(hospital: Hospital) -> None:
    job = await hospital.analyse(1, 2)
    came_in = hospital.came_in()
    hospital.clock.advance(31 * 86_400)
    assert hospital.pruner.prune(MONTH).jobs == [job]
    assert hospital.files() == came_in


async def test_a_job_that_was_pruned_makes_the_same_again(hospital: Hospital) -> None:
    job = await hospital.analyse(1, 2)
    made = hospital.bytes_of_last()
    hospital.clock.advance(31 * 86_400)
    hospital.pruner.prune(MONTH)
    hospital.desk.rerun(job, fresh=False)
    await hospital.publish()
    assert (hospital.last().run, hospital.bytes_of_last()) == (2, made)


async def test_a_slice_that_comes_after_a_month_makes_a_version_of_all_slices(
    hospital: Hospital,
) -> None:
    old = await hospital.analyse(1, 2)
    hospital.clock.advance(31 * 86_400)
    assert hospital.pruner.prune(MONTH).jobs == [old]
    young = await hospital.analyse(3)
    last = hospital.last()
    assert (last.job_id, last.version, last.supersedes) == (young, 2, old)
    manifest = read_manifest(last.payloads["ingest.manifest"], hospital.store)
    assert len(manifest.instances) == 3
    for ref in (*last.payloads.values(), *manifest.segments):
        assert hospital.store.path(ref).stat().st_size == ref.size
    assert await hospital.analyse(1, 2, 3) == young


async def test_a_study_of_today_is_whole_after_one_of_last_month_was_pruned(
    hospital: Hospital,
) -> None:
    old = await hospital.analyse(1, 2)
    hospital.clock.advance(31 * 86_400)
    await hospital.analyse(3)
    assert hospital.pruner.prune(MONTH).jobs == [old]
    last = hospital.last()
    manifest = read_manifest(last.payloads["ingest.manifest"], hospital.store)
    for ref in (*last.payloads.values(), *manifest.segments):
        assert hospital.store.path(ref).stat().st_size == ref.size
