"""Two replicas of results on one ledger, raced on purpose: everything is done once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from services.results import deadlines
from services.results.conclude import Concluder
from services.results.definitions import Definitions
from services.results.delivery import Courier
from services.results.ledger import deliveries, outbox
from services.results.ledger.database import Ledger
from services.results.ledger.deliveries import LEASE
from services.results.tests.facts import RECEIVED, Story, intake_into
from services.results.tests.hospital import ALL_DELIVERED, DUE, Hospital, InterruptedPacs
from services.results.tests.pacs import Pacs, listening
from shared.clock import ManualClock
from shared.events.models import JobFinished
from shared.store.memory import MemoryStore

ONCE = [
    ("lesion-seg", "delivered", 1),
    ("lung-seg", "delivered", 1),
    ("classification-report", "delivered", 1),
    ("ratio-report", "delivered", 1),
]


def other(hospital: Hospital, path: Path, name: str = "other") -> Courier:
    """The courier of another replica, with a connection of its own to the same ledger."""
    return replace(hospital.courier, ledger=Ledger(f"sqlite:///{path}/ledger.db"), name=name)


def once(act: Callable[[], None]) -> Callable[[], None]:
    """Do it when first asked to, and then no more."""
    waiting = [act]

    def first_time() -> None:
        if waiting:
            waiting.pop()()

    return first_time


def test_replicas_that_find_the_same_delivery_send_it_once(tmp_path: Path) -> None:
    with listening(Pacs()) as pacs:
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        couriers = [hospital.courier, *(other(hospital, tmp_path, name) for name in "abc")]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda courier: courier.deliver(DUE), couriers))
    assert (len(pacs.arrived), pacs.associations) == (4, 1)
    assert hospital.announced() == ONCE


def test_what_one_is_sending_the_other_leaves_alone_however_long_it_takes(tmp_path: Path) -> None:
    pacs = InterruptedPacs()
    with listening(pacs):
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        second = other(hospital, tmp_path)

        def slow() -> None:
            for _ in range(3):
                hospital.clock.advance(LEASE.total_seconds() / 2)
                hospital.courier.keep([DUE])
                second.deliver(DUE)

        pacs.meanwhile = slow
        hospital.courier.deliver(DUE)
    assert len(pacs.arrived) == 4
    assert hospital.announced() == ONCE


def test_what_was_claimed_by_one_that_died_the_other_takes_over(tmp_path: Path) -> None:
    with listening(Pacs()) as pacs:
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        with hospital.ledger.transaction() as connection:
            deliveries.claim(connection, DUE, hospital.clock(), "died")
        hospital.courier.deliver(DUE)
        assert pacs.arrived == []
        hospital.clock.advance(LEASE.total_seconds())
        hospital.courier.deliver(DUE)
    assert hospital.statuses() == ALL_DELIVERED
    assert len(pacs.arrived) == 4


def test_one_that_was_taken_over_sends_no_more_and_counts_nothing_twice(tmp_path: Path) -> None:
    pacs = InterruptedPacs()
    with listening(pacs):
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        second = other(hospital, tmp_path)

        def cut_off() -> None:
            hospital.clock.advance(LEASE.total_seconds())
            second.deliver(DUE)

        pacs.meanwhile = once(cut_off)
        hospital.courier.deliver(DUE)
    sent = [uid for uid, _ in pacs.arrived]
    assert sorted(sent) == sorted([*hospital.objects(), hospital.uid("lesion-seg")])
    assert hospital.statuses() == ALL_DELIVERED
    assert hospital.announced() == ONCE


def test_the_failure_of_one_that_was_taken_over_is_none(tmp_path: Path) -> None:
    pacs = InterruptedPacs(status=0xA700)
    with listening(pacs):
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        second = other(hospital, tmp_path)

        def cut_off() -> None:
            hospital.clock.advance(LEASE.total_seconds())
            with second.ledger.transaction() as connection:
                deliveries.claim(connection, DUE, hospital.clock(), second.name)

        pacs.meanwhile = once(cut_off)
        hospital.courier.deliver(DUE)
    assert hospital.announced() == []
    assert [sent.attempts for sent in hospital.sent()] == [0, 0, 0, 0]


def test_replicas_that_find_the_same_job_late_end_it_once(tmp_path: Path) -> None:
    store, clock = MemoryStore(), ManualClock(RECEIVED)
    intake = intake_into(tmp_path, store, clock)
    intake.take([Story(store).input_ready()])
    clock.advance(timedelta(hours=6).total_seconds())

    def sweep(_: int) -> None:
        ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
        deadlines.sweep(ledger, Concluder(Definitions(store), clock), RECEIVED)

    with ThreadPoolExecutor(4) as replicas:
        list(replicas.map(sweep, range(4)))
    with intake.ledger.reading() as connection:
        told = [letter.event.data for letter in outbox.unsent(connection)]
    assert [data.status for data in told if isinstance(data, JobFinished)] == ["failed"]
