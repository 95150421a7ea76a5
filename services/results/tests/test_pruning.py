"""What ended long ago goes; what anybody may still need stays, to the last payload."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from services.results.api import create_app
from services.results.archive import Archive
from services.results.ledger import deliveries, outbox
from services.results.ledger.deliveries import DeliveryStatus, Due
from services.results.pruning import Pruner
from services.results.requests import Conflict, Desk
from services.results.tests.facts import RECEIVED, Story, intake_into, job
from services.results.views import PruneView
from shared.bus import attempts, outcomes, removed
from shared.bus.received import Received
from shared.bus.units import DEFINITION
from shared.clock import ManualClock
from shared.errors import Unavailable
from shared.events.models import Common, PayloadRef
from shared.store.folder import FolderStore

MONTH = timedelta(days=30)


class SamePixels(Story):
    """The volumes of its versions are the same bytes."""

    def _payload(self, stage: str, port: str) -> PayloadRef:
        if port == "volume":
            return self.store.put(b"voxels", "application/x-metaimage")
        return super()._payload(stage, port)


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

    def __init__(self, path: Path, committing: tuple[str, ...] = ()) -> None:
        self.clock, self.store = ManualClock(RECEIVED), Store(path / "payloads")
        self.intake = intake_into(path, self.store, self.clock)
        self.ledger = self.intake.ledger
        self.pruner = Pruner(self.ledger, self.store, self.clock, committing)

    def take(
        self,
        facts: Sequence[Received],
        end: DeliveryStatus = "delivered",
        *,
        announced: bool = True,
    ) -> None:
        """Facts; the deliveries that follow end so, and what is to be said is published."""
        self.intake.take(facts)
        now = self.clock()
        with self.ledger.transaction() as connection:
            for sent in deliveries.claim(connection, Due("pacs", job()), now, "me"):
                deliveries.settle(connection, sent, "me", end, None, None, now)
            letters = outbox.unsent(connection) if announced else []
            outbox.mark_sent(connection, [letter.seq for letter in letters], now)

    def prune(self, *, dry_run: bool = False) -> PruneView:
        """Soon after a month."""
        self.clock.advance(31 * 86400)
        self.store.age()
        return self.pruner.prune(MONTH, dry_run=dry_run)

    def artifacts(self) -> set[str]:
        return set(self.store.keys("artifacts/"))


def places(facts: Sequence[Received]) -> dict[str, str]:
    """Where each payload lies that facts tell of, by its name."""
    told = [received.event.data for received in facts]
    each = [data.payloads for data in told if isinstance(data, Common)]
    return {name: ref.uri for refs in each for name, ref in refs.items()}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_job_of_long_ago_leaves_its_rows_and_its_definition(house: House) -> None:
    facts = Story(house.store).whole()
    house.take(facts)
    house.store.create(outcomes.key(job(), 1, "reader"), b"{}")
    for of in (job(), "another"):
        house.store.mark(attempts.mark(of, 1, "reader", 1))
    pruned = house.prune()
    assert (pruned.jobs, pruned.more) == ([job()], False)
    assert house.artifacts() == {places(facts)[DEFINITION]}
    assert house.store.keys("outcomes/") == []
    assert house.store.keys("begun/") == [attempts.mark("another", 1, "reader", 1)]
    assert removed.jobs(house.store) == [job()]
    with house.ledger.reading() as connection:
        assert len(deliveries.of_job(connection, job())) == 4
    assert house.prune().jobs == []


def test_what_a_job_that_goes_on_refers_to_stays(house: House) -> None:
    newer = SamePixels(house.store, version=2)
    begun = [newer.input_ready(), newer.made("reader")]
    house.take(SamePixels(house.store).whole())
    house.take(begun)
    pruned = house.prune()
    assert (pruned.jobs, pruned.kept) == ([job()], {"running-or-recent": 1})
    assert house.artifacts() == set(places(begun).values())


def test_what_was_kept_again_meanwhile_stays(house: House) -> None:
    house.take(SamePixels(house.store).whole())
    house.clock.advance(31 * 86400)
    house.store.age()
    again = house.store.put(b"voxels", "application/x-metaimage")  # by a job nobody knows of yet
    house.pruner.prune(MONTH)
    assert house.store.get(again) == b"voxels"


@pytest.mark.parametrize("end", ["waiting", "held", "failed"])
def test_what_is_not_delivered_stays(house: House, end: DeliveryStatus) -> None:
    house.take(Story(house.store).whole(), end)
    before = house.artifacts()
    assert house.prune().kept == {"not-delivered": 1}
    assert house.artifacts() == before


def test_what_its_destination_has_not_confirmed_stays(tmp_path: Path) -> None:
    house = House(tmp_path, committing=("pacs",))
    house.take(Story(house.store).whole())
    before = house.artifacts()
    assert house.prune().kept == {"not-confirmed": 1}
    assert house.artifacts() == before


def test_what_was_not_announced_stays(house: House) -> None:
    house.take(Story(house.store).whole(), announced=False)
    assert house.prune().kept == {"not-announced": 1}


def test_a_failure_stays_until_somebody_has_seen_it(house: House) -> None:
    story = Story(house.store)
    house.take([story.input_ready(), story.failed("reader")])
    assert house.prune().kept == {"failure-not-discarded": 1}
    desk = Desk(house.ledger, house.intake.concluder, house.clock)
    desk.discard(job())
    assert house.prune().jobs == [job()]


def test_a_young_job_stays_however_little_is_to_be_kept(house: House) -> None:
    house.take(Story(house.store).whole())
    house.store.age()
    house.clock.advance(86000)
    assert house.pruner.prune(timedelta(0)).jobs == []


def test_a_dry_run_says_what_would_go_and_removes_nothing(house: House) -> None:
    house.take(Story(house.store).whole())
    before = house.artifacts()
    would = house.prune(dry_run=True)
    assert (would.jobs, house.artifacts(), removed.jobs(house.store)) == ([job()], before, [])
    did = house.pruner.prune(MONTH)
    assert (did.jobs, did.payloads, did.bytes) == (would.jobs, would.payloads, would.bytes)


def test_what_an_outage_interrupts_is_taken_up_again(house: House) -> None:
    facts = Story(house.store).whole()
    house.take(facts)
    house.store.breaks = True
    with pytest.raises(Unavailable):
        house.prune()
    house.store.breaks = False
    assert house.pruner.prune(MONTH).jobs == [job()]
    assert house.artifacts() == {places(facts)[DEFINITION]}


def test_a_job_that_was_pruned_is_not_run_again(house: House) -> None:
    house.take(Story(house.store).whole())
    house.prune()
    with pytest.raises(Conflict) as refused:
        Desk(house.ledger, house.intake.concluder, house.clock).rerun(job(), fresh=True)
    assert refused.value.code == "payloads-pruned"


def test_the_api_prunes_nothing_that_ended_less_than_a_day_ago(house: House) -> None:
    house.take(Story(house.store).whole())
    archive = Archive(house.ledger, house.store, house.intake.concluder.definitions)
    desk = Desk(house.ledger, house.intake.concluder, house.clock)
    http = TestClient(create_app(archive, desk, house.pruner, lambda: (), lambda: None))
    assert http.post("/prune?older_than_days=0.9").status_code == 422
    assert http.post("/prune").status_code == 422
    assert http.post("/prune?older_than_days=1").json()["jobs"] == []
    house.clock.advance(2 * 86400)
    assert http.post("/prune?older_than_days=1").json()["jobs"] == [job()]
