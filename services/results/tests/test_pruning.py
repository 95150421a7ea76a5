"""What ended long ago goes; what anybody may still need stays, to the last payload."""

from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from services.results.api import create_app
from services.results.archive import Archive
from services.results.failures import Wanted
from services.results.ledger import deliveries
from services.results.ledger.deliveries import DeliveryStatus
from services.results.requests import Conflict, Desk
from services.results.tests.facts import Story, job
from services.results.tests.house import MONTH, Echo, House, SamePixels, places
from shared.bus import attempts, outcomes
from shared.bus.units import DEFINITION
from shared.errors import Unavailable
from shared.identity import case_id


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
    assert (pruned.jobs, pruned.next) == ([job()], None)
    assert house.artifacts() == {places(facts)[DEFINITION]}
    assert house.store.keys("outcomes/") == []
    assert house.store.keys("begun/") == [attempts.mark("another", 1, "reader", 1)]
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


def test_what_its_destination_was_asked_to_confirm_and_has_not_stays(house: House) -> None:
    house.take(Story(house.store).whole(), transaction="1.2.3")
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
    house.desk().discard(job())
    assert house.prune().jobs == [job()]


def test_a_failure_that_a_newer_version_replaced_goes(house: House) -> None:
    old = Story(house.store)
    house.take([old.input_ready(), old.failed("reader")])
    house.take(Story(house.store, version=2).whole()[:1])
    assert house.prune().jobs == [job()]


def test_what_was_refused_goes_when_a_newer_version_has_replaced_it(house: House) -> None:
    house.take(Story(house.store).whole(), "failed")
    house.take(Story(house.store, version=2).whole()[:1])
    assert house.prune().jobs == [job()]


def test_a_young_job_stays_however_little_is_to_be_kept(house: House) -> None:
    house.take(Story(house.store).whole())
    house.store.age()
    house.clock.advance(7 * 86_400)  # an event of it may be read again
    assert house.pruner.prune(timedelta(0)).jobs == []
    house.clock.advance(2 * 86_400)
    assert house.pruner.prune(timedelta(0)).jobs == [job()]


def test_a_dry_run_says_what_would_go_and_removes_nothing(house: House) -> None:
    house.take(Story(house.store).whole())
    before = house.artifacts()
    would = house.prune(dry_run=True)
    assert (would.jobs, house.artifacts()) == ([job()], before)
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


def test_what_ingest_wrote_stays_even_if_a_stage_made_the_same_bytes(house: House) -> None:
    facts = Echo(house.store).whole()
    house.take(facts)
    assert house.prune().jobs == [job()]
    assert house.artifacts() == set(places(facts[:1]).values())


def test_a_job_that_was_pruned_runs_again_and_is_pruned_again(house: House) -> None:
    first, second = Story(house.store), Story(house.store, run=2)
    house.take(first.whole())
    house.prune()
    assert house.desk().rerun(job(), fresh=False) == 2
    assert house.prune().kept == {"running-or-recent": 1}
    house.take(second.whole())
    assert house.prune().jobs == [job()]


def test_a_job_that_is_being_pruned_is_not_run_again(house: House) -> None:
    house.take(Story(house.store).whole())
    house.store.breaks = True
    with pytest.raises(Unavailable):
        house.prune()
    with pytest.raises(Conflict) as refused:
        house.desk().rerun(job(), fresh=True)
    assert refused.value.code == "being-pruned"


def test_of_a_run_that_was_asked_for_meanwhile_nothing_goes(house: House) -> None:
    house.take(Story(house.store).whole())
    later = [outcomes.key(job(), 2, "reader"), attempts.mark(job(), 2, "reader", 1)]
    for key in later:
        house.store.create(key, b"")
    house.store.create(outcomes.key(job(), 1, "reader"), b"")
    house.prune()
    assert [*house.store.keys("outcomes/"), *house.store.keys("begun/")] == later


@pytest.mark.parametrize("end", ["held", "failed"])
def test_what_can_never_be_delivered_goes_when_somebody_has_seen_it(
    house: House, end: DeliveryStatus
) -> None:
    house.take(Story(house.store).whole(), end)
    assert house.prune().kept == {"not-delivered": 1}
    assert [done.done for done in house.failures().discard(Wanted(job())).jobs] == [True]
    assert house.prune().jobs == [job()]


def test_what_is_still_sent_stays_whoever_has_seen_it(house: House) -> None:
    house.take(Story(house.store).whole(), "waiting")
    house.desk().discard(job())
    assert house.prune().kept == {"not-delivered": 1}


def test_what_is_never_confirmed_goes_when_somebody_has_seen_it(house: House) -> None:
    house.take(Story(house.store).whole(), transaction="1.2.3")
    house.failures().discard(Wanted(job()))
    assert house.prune().jobs == [job()]


def test_jobs_that_are_kept_are_asked_once_in_a_round(house: House) -> None:
    cases = [case_id("covid19-ct", f"study {number}", "study") for number in range(101)]
    house.take([Story(house.store, case=case).input_ready() for case in cases])
    some = house.prune()
    rest = house.pruner.prune(MONTH, after=some.next)
    assert (some.kept, rest.kept) == ({"running-or-recent": 100}, {"running-or-recent": 1})
    assert (some.next, rest.next) == (sorted(job(case=case) for case in cases)[99], None)


def test_the_api_prunes_nothing_whose_events_may_be_read_again(house: House) -> None:
    house.take(Story(house.store).whole())
    archive = Archive(house.ledger, house.store, house.intake.concluder.definitions)
    desk = Desk(house.ledger, house.intake.concluder, house.clock)
    http = TestClient(create_app(archive, desk, house.pruner, lambda: (), lambda: None))
    assert http.post("/prune?older_than_days=7").json()["code"] == "too-young"
    assert http.post("/prune").status_code == 422
    assert http.post("/prune?older_than_days=8").json()["jobs"] == []
    house.clock.advance(9 * 86400)
    assert http.post("/prune?older_than_days=8").json()["jobs"] == [job()]
