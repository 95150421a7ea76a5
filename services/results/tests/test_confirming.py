"""What a destination has taken is asked about until it reports, whatever happens in between."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.results.delivery import IsWanted
from services.results.ledger import commitments, deliveries, pruning
from services.results.scu import DELIVERED, Answer, Instance, Parcel
from services.results.settings import Destination
from services.results.tests.facts import RECEIVED, job
from services.results.tests.hospital import DUE, Hospital
from shared.bus.received import Place, Received
from shared.events.models import CommitmentReported
from shared.events.wire import Event

PACS = Destination(ae_title="PACS", host="127.0.0.1", port=1, commitment=True)


class Killed(BaseException):
    """The process is gone."""


def _killed() -> bool:
    raise Killed


@dataclass
class Archive:
    """Takes every object, and answers what it is told to when it is asked to commit itself."""

    answers: list[Callable[[], bool]]
    asked: list[tuple[str, frozenset[str]]] = field(default_factory=list)

    def take(
        self, _: Destination, parcels: Sequence[Parcel], __: IsWanted
    ) -> Iterator[Answer | None]:
        yield from (DELIVERED for _ in parcels)

    def commit(self, _: Destination, about: Sequence[Instance], transaction: str) -> bool:
        self.asked.append((transaction, frozenset(each.sop_instance_uid for each in about)))
        return self.answers.pop(0)()


class Confirmed(Hospital):
    """Its PACS is an archive; `due` is whether it is to be asked."""

    def __init__(self, path: Path, archive: Archive) -> None:
        super().__init__(path, {"pacs": PACS})
        self.courier = replace(self.courier, send=archive.take, ask_commitment=archive.commit)

    def deliver_after(self, seconds: float) -> bool:
        """A look at what is due then; whether it was this shipment."""
        self.clock.advance(seconds)
        with self.ledger.reading() as connection:
            due = commitments.due(connection, self.clock())
        for each in due:
            self.courier.deliver(each)
        return due == [DUE]

    def reported(self, transaction: str) -> None:
        answers = [{"sop_instance_uid": uid, "committed": True} for uid in self.objects()]
        report = CommitmentReported.model_validate(
            {"transaction_uid": transaction, "instances": answers}
        )
        event = Event("1", "ingest", "commitment-reported", "", RECEIVED, "", report)
        place = Place("clarion.commitment-reported.v1", 0, 0, None)
        self.intake.take([Received(event, place)])

    def needed_for(self) -> str | None:
        with self.ledger.transaction() as connection:
            connection.exec_driver_sql("DELETE FROM outbox")
        with self.ledger.reading() as connection:
            return pruning.needed_for(connection, job(), RECEIVED + timedelta(days=90))


def test_a_request_that_is_not_answered_is_made_again_after_a_while(tmp_path: Path) -> None:
    archive = Archive([lambda: False, lambda: False, lambda: True])
    hospital = Confirmed(tmp_path, archive)
    hospital.courier.deliver(DUE)
    assert [hospital.deliver_after(seconds) for seconds in (0.5, 0.5, 1, 1)] == [
        False,
        True,
        False,
        True,
    ]
    (first, *again) = archive.asked
    assert again == [first, first]
    assert first[1] == set(hospital.objects())


def test_killed_between_the_last_object_and_the_request_it_is_asked_later(tmp_path: Path) -> None:
    archive = Archive([_killed, lambda: True])
    hospital = Confirmed(tmp_path, archive)
    with pytest.raises(Killed):
        hospital.courier.deliver(DUE)
    assert hospital.needed_for() == "not-confirmed"
    assert hospital.deliver_after(deliveries.LEASE.total_seconds())
    assert len(archive.asked) == 2


def test_what_is_delivered_and_was_not_asked_about_yet_is_not_pruned(tmp_path: Path) -> None:
    hospital = Confirmed(tmp_path, Archive([]))
    hospital.courier = replace(hospital.courier, send=_then_killed)
    with pytest.raises(Killed):
        hospital.courier.deliver(DUE)
    with hospital.ledger.transaction() as connection:
        deliveries.cancel(connection, job(), deliveries.SUPERSEDED)
    assert hospital.needed_for() == "not-confirmed"


def test_who_reports_is_not_asked_again_and_who_does_not_is_after_an_hour(tmp_path: Path) -> None:
    archive = Archive([lambda: True, lambda: True])
    hospital = Confirmed(tmp_path, archive)
    hospital.courier.deliver(DUE)
    assert [hospital.deliver_after(seconds) for seconds in (3599, 1)] == [False, True]
    hospital.reported(archive.asked[0][0])
    assert not hospital.deliver_after(7 * 86400)
    assert hospital.needed_for() is None


def test_an_archive_that_never_reports_is_left_at_that_one_day(tmp_path: Path) -> None:
    archive = Archive([lambda: True] * 100)
    hospital = Confirmed(tmp_path, archive)
    hospital.courier.deliver(DUE)
    for _ in range(40):
        hospital.deliver_after(86400)
    assert len(archive.asked) == 20
    assert hospital.needed_for() == "not-confirmed"


def test_who_is_asked_no_more_by_the_settings_is_not(tmp_path: Path) -> None:
    archive = Archive([lambda: False])
    hospital = Confirmed(tmp_path, archive)
    hospital.courier.deliver(DUE)
    silent = PACS.model_copy(update={"commitment": False})
    hospital.courier = replace(hospital.courier, destinations={"pacs": silent})
    assert [hospital.deliver_after(3600) for _ in range(2)] == [True, False]
    assert len(archive.asked) == 1


def _then_killed(
    _: Destination, parcels: Sequence[Parcel], __: IsWanted
) -> Iterator[Answer | None]:
    """It is noted that the first arrived, then the process is gone."""
    yield DELIVERED
    raise Killed


def test_a_delivery_that_is_turned_away_ages_all_the_same(tmp_path: Path) -> None:
    hospital = Confirmed(tmp_path, Archive([]))
    with hospital.ledger.transaction() as connection:
        for sent in deliveries.claim(connection, DUE, RECEIVED, "me"):
            later = RECEIVED + timedelta(hours=1)
            deliveries.settle(connection, sent, "me", "waiting", "x", None, later, later)
        came = [row.planned_at for row in connection.exec_driver_sql(_AGES)]
    assert len(set(came)) == 1
    assert [sent.waiting_since for sent in hospital.sent()] == [RECEIVED + timedelta(hours=1)] * 4
    assert came[0].startswith("2026-01-01 08:00")


_AGES = "SELECT planned_at FROM deliveries"
