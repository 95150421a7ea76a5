"""What a destination has taken is asked about until it reports, whatever happens in between."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import insert, select, update

from services.results.archive import Archive as Jobs
from services.results.definitions import Definitions
from services.results.delivery import Dispatch, IsWanted
from services.results.ledger import commitments, deliveries, pruning, tables
from services.results.scu import DELIVERED, Answer, Instance, Parcel
from services.results.settings import Destination
from services.results.tests.facts import RECEIVED, job
from services.results.tests.hospital import DUE, Hospital
from shared.bus.received import Place, Received
from shared.events import wire
from shared.events.models import CommitmentReported

PACS = Destination(ae_title="PACS", host="127.0.0.1", port=1, commitment=True)


_OF_DUE = tables.deliveries.c.job_id == job()


class Killed(BaseException):
    """The process is gone."""


def _killed() -> str | None:
    raise Killed


def _taken() -> str | None:
    return None


def _breaks_off() -> str | None:
    raise OSError


def _refused() -> str | None:
    return "status-0122"


@dataclass
class Archive:
    """Takes every object, and answers what it is told to when it is asked to commit itself."""

    answers: list[Callable[[], str | None]]
    on_arrival: Callable[[], None] = lambda: None
    asked: list[tuple[str, frozenset[str]]] = field(default_factory=list)

    def take(
        self, _: Destination, parcels: Sequence[Parcel], __: IsWanted
    ) -> Iterator[Answer | None]:
        yield from (DELIVERED for _ in parcels)
        self.on_arrival()

    def commit(self, _: Destination, about: Sequence[Instance], transaction: str) -> str | None:
        self.asked.append((transaction, frozenset(each.sop_instance_uid for each in about)))
        return self.answers.pop(0)()


class Confirmed(Hospital):
    """Its PACS is an archive; `due` is whether it is to be asked."""

    def __init__(self, path: Path, archive: Archive) -> None:
        super().__init__(path, {"pacs": PACS})
        self.courier = replace(self.courier, send=archive.take, ask_commitment=archive.commit)

    def deliver(self) -> None:
        """Send the shipment, and ask about it."""
        self.courier.deliver(DUE)
        self.ask_after(0)

    def ask_after(self, seconds: float) -> list[str]:
        """A look at what is due then, and the jobs that were asked about."""
        self.clock.advance(seconds)
        with self.ledger.reading() as connection:
            due = commitments.due(connection, self.clock())
        for each in due:
            self.courier.confirmer.confirm(each)
        return [each.job_id for each in due]

    def delivered_too(self, job_id: str) -> None:
        """The same objects as those of another job, which were sent now."""
        with self.ledger.transaction() as connection:
            rows = connection.execute(select(tables.deliveries).where(_OF_DUE)).mappings().all()
            new = {"job_id": job_id, "commitment_due": self.clock(), "commitment_error": None}
            copies = [{**row, **new, "commitment_asks": 0} for row in rows]
            connection.execute(insert(tables.deliveries), copies)

    def waits_again(self) -> None:
        """The shipment is to be sent in a second."""
        later = {"next_attempt_at": self.clock() + timedelta(seconds=1), "commitment_due": None}
        with self.ledger.transaction() as connection:
            sent = update(tables.deliveries).where(_OF_DUE)
            connection.execute(sent.values(status="waiting", **later))

    def errors(self) -> set[str | None]:
        """What `clarion jobs show` says of its deliveries."""
        jobs = Jobs(self.ledger, self.store, Definitions(self.store))
        found = jobs.show(job())
        assert found is not None
        return {sent.last_error for output in found.outputs for sent in output.deliveries}

    def reported(self, transaction: str) -> None:
        answers = [{"sop_instance_uid": uid, "committed": True} for uid in self.objects()]
        report = CommitmentReported.model_validate(
            {"transaction_uid": transaction, "instances": answers}
        )
        event = wire.Event("1", "ingest", "commitment-reported", "", RECEIVED, "", report)
        place = Place("clarion.commitment-reported.v1", 0, 0, None)
        self.intake.take([Received(event, place)])

    def needed_for(self) -> str | None:
        with self.ledger.transaction() as connection:
            connection.exec_driver_sql("DELETE FROM outbox")
        with self.ledger.reading() as connection:
            return pruning.needed_for(connection, job(), RECEIVED + timedelta(days=90))


def test_a_request_that_is_not_answered_is_made_again_after_a_while(tmp_path: Path) -> None:
    archive = Archive([_refused, _refused, _taken])
    hospital = Confirmed(tmp_path, archive)
    hospital.deliver()
    assert [hospital.ask_after(seconds) == [job()] for seconds in (0.5, 0.5, 1, 1)] == [
        False,
        True,
        False,
        True,
    ]
    (first, *again) = archive.asked
    assert again == [first, first]
    assert first[1] == set(hospital.objects())


def test_killed_between_the_last_object_and_the_request_it_is_asked_later(tmp_path: Path) -> None:
    archive = Archive([_killed, _taken])
    hospital = Confirmed(tmp_path, archive)
    with pytest.raises(Killed):
        hospital.deliver()
    assert hospital.needed_for() == "not-confirmed"
    assert hospital.ask_after(deliveries.LEASE.total_seconds())
    assert len(archive.asked) == 2


def test_what_is_delivered_and_was_not_asked_about_yet_is_not_pruned(tmp_path: Path) -> None:
    hospital = Confirmed(tmp_path, Archive([]))
    hospital.courier = replace(hospital.courier, send=_then_killed)
    with pytest.raises(Killed):
        hospital.deliver()
    with hospital.ledger.transaction() as connection:
        deliveries.cancel(connection, job(), deliveries.SUPERSEDED)
    assert hospital.needed_for() == "not-confirmed"


def test_who_reports_is_not_asked_again_and_who_does_not_is_after_an_hour(tmp_path: Path) -> None:
    archive = Archive([_taken, _taken])
    hospital = Confirmed(tmp_path, archive)
    hospital.deliver()
    assert [hospital.ask_after(seconds) for seconds in (3599, 1)] == [[], [job()]]
    hospital.reported(archive.asked[0][0])
    assert not hospital.ask_after(7 * 86400)
    assert hospital.needed_for() is None


def test_a_report_that_comes_before_the_answer_ends_the_asking(tmp_path: Path) -> None:
    archive = Archive([lambda: hospital.reported(archive.asked[0][0])])
    hospital = Confirmed(tmp_path, archive)
    hospital.deliver()
    with hospital.ledger.reading() as connection:
        assert connection.exec_driver_sql(_TO_BE_ASKED).scalar() == 0


def test_an_archive_that_never_reports_is_left_at_that_one_day(tmp_path: Path) -> None:
    archive = Archive([_taken] * 100)
    hospital = Confirmed(tmp_path, archive)
    hospital.deliver()
    for _ in range(40):
        hospital.ask_after(86400)
    assert len(archive.asked) == 20
    assert hospital.needed_for() == "not-confirmed"


def test_a_request_that_is_never_taken_is_made_less_and_less_and_then_no_more(
    tmp_path: Path,
) -> None:
    archive = Archive([_refused] * 100)
    hospital = Confirmed(tmp_path, archive)
    hospital.deliver()
    asked = [bool(hospital.ask_after(3600)) for _ in range(24 * 7)]
    assert len(archive.asked) == 20
    assert asked[24:48].count(True) == 3
    assert hospital.needed_for() == "not-confirmed"


def test_who_has_just_not_taken_a_request_is_asked_about_no_other_job(tmp_path: Path) -> None:
    archive = Archive([_refused] * 3 + [_taken] * 9)
    hospital = Confirmed(tmp_path, archive)
    hospital.deliver()
    assert hospital.ask_after(1) == [job()]
    hospital.delivered_too("other")
    assert hospital.ask_after(1.9) == []
    assert hospital.ask_after(0.1) == ["other"]
    assert hospital.ask_after(0.9) == []
    assert [hospital.ask_after(0.1) for _ in range(3)] == [[job()], ["other"], []]


def test_why_a_request_was_not_taken_is_told_until_it_is(tmp_path: Path) -> None:
    hospital = Confirmed(tmp_path, Archive([_refused, _taken]))
    told = [hospital.errors()]
    for seconds in (0, 1):
        hospital.courier.deliver(DUE)
        hospital.ask_after(seconds)
        told.append(hospital.errors())
    assert told == [{None}, {"commitment-status-0122"}, {None}]


def test_a_request_that_breaks_off_counts(tmp_path: Path) -> None:
    hospital = Confirmed(tmp_path, Archive([_breaks_off, _taken]))
    hospital.deliver()
    assert hospital.errors() == {"commitment-broke-off"}
    assert hospital.ask_after(1) == [job()]


def test_that_nothing_was_ever_reported_is_told(tmp_path: Path) -> None:
    hospital = Confirmed(tmp_path, Archive([_taken] * 20))
    hospital.deliver()
    for _ in range(40):
        hospital.ask_after(86400)
    assert hospital.errors() == {"commitment-no-report"}


async def test_a_request_that_hangs_leaves_an_association_to_what_is_sent(tmp_path: Path) -> None:
    begun, ends, arrived = Event(), Event(), Event()

    def hang() -> str | None:
        begun.set()
        return None if ends.wait(20) else "no-response"

    archive = Archive([hang] * 9, arrived.set)
    hospital = Confirmed(tmp_path, archive)
    hospital.courier.deliver(DUE)
    for other in "abc":
        hospital.delivered_too(other)
    hospital.waits_again()
    arrived.clear()
    dispatch = Dispatch(hospital.courier, 2)
    await dispatch.round()
    assert await asyncio.to_thread(begun.wait, 20)
    hospital.clock.advance(1)
    await dispatch.round()
    assert await asyncio.to_thread(arrived.wait, 20)
    assert len(archive.asked) == 1
    ends.set()
    await dispatch.settled()
    dispatch.close()


def test_who_is_asked_no_more_by_the_settings_is_not(tmp_path: Path) -> None:
    archive = Archive([_refused])
    hospital = Confirmed(tmp_path, archive)
    hospital.deliver()
    silent = PACS.model_copy(update={"commitment": False})
    hospital.courier = replace(hospital.courier, destinations={"pacs": silent})
    assert [hospital.ask_after(3600) for _ in range(2)] == [[job()], []]
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


_TO_BE_ASKED = "SELECT count(*) FROM deliveries WHERE commitment_due IS NOT NULL"
_AGES = "SELECT planned_at FROM deliveries"
