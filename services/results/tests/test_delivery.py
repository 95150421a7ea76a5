"""Deliveries to a real SCP: what arrives, what is tried again, what is held."""

import socket
from pathlib import Path
from threading import Thread

import pytest

from services.results.delivery import Backoff, Dispatch
from services.results.ledger import deliveries
from services.results.ledger.commitments import Unconfirmed
from services.results.scu import ask_commitment, judge
from services.results.settings import Destination
from services.results.tests.facts import RECEIVED
from services.results.tests.hospital import (
    ALL_DELIVERED,
    DUE,
    Hospital,
    InterruptedPacs,
    RealObjects,
    elsewhere,
    free_port,
)
from services.results.tests.pacs import PDF, SEG, Pacs, listening
from shared.bus.received import Place, Received
from shared.events.models import CommitmentReported
from shared.events.wire import Event


def test_one_association_carries_every_object_byte_for_byte(
    tmp_path: Path,
) -> None:
    with listening(Pacs()) as pacs:
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        hospital.courier.deliver(DUE)
    assert hospital.statuses() == ALL_DELIVERED
    assert pacs.associations == 1
    assert dict(pacs.arrived) == hospital.objects()
    outputs = [hospital.announced()[place][0] for place in range(4)]
    assert outputs == ["lesion-seg", "lung-seg", "classification-report", "ratio-report"]
    assert {status for _, status, _ in hospital.announced()} == {"delivered"}


def test_nothing_is_sent_twice(tmp_path: Path) -> None:
    with listening(Pacs()) as pacs:
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        hospital.courier.deliver(DUE)
        hospital.intake.take(hospital.facts)
        hospital.courier.deliver(DUE)
    assert len(pacs.arrived) == 4


def test_what_was_sent_but_not_noted_is_sent_again_with_the_same_uid_and_bytes(
    tmp_path: Path,
) -> None:
    with listening(Pacs()) as pacs:
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        with hospital.ledger.transaction() as connection:
            deliveries.claim(connection, DUE, RECEIVED, "me")
            deliveries.release(connection, "me")
        hospital.courier.deliver(DUE)
    assert dict(pacs.arrived) == hospital.objects()


def test_a_destination_that_is_down_is_tried_again_later_and_gets_everything(
    tmp_path: Path,
) -> None:
    pacs = Pacs(port=free_port())
    hospital = Hospital(tmp_path, {"pacs": pacs.destination})
    hospital.courier.deliver(DUE)
    assert set(hospital.statuses().values()) == {("waiting", "no-connection")}
    with listening(pacs):
        hospital.courier.deliver(DUE)
        assert pacs.arrived == []  # not before the backoff is over
        hospital.clock.advance(1)
        hospital.courier.deliver(DUE)
    assert hospital.statuses() == ALL_DELIVERED
    assert ("lung-seg", "failed", 1) in hospital.announced()
    assert ("lung-seg", "delivered", 2) in hospital.announced()


def test_a_rejected_presentation_context_is_held_and_the_others_arrive(tmp_path: Path) -> None:
    with listening(Pacs(), sop_classes=[PDF]) as pacs:
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        hospital.courier.deliver(DUE)
        hospital.clock.advance(3600)
        hospital.courier.deliver(DUE)
    held = ("held", "presentation-context-rejected")
    assert hospital.statuses() == ALL_DELIVERED | {"lung-seg": held, "lesion-seg": held}
    assert pacs.associations == 1


def test_a_destination_that_takes_none_of_it_holds_all(tmp_path: Path) -> None:
    with listening(Pacs(), sop_classes=[]) as pacs:
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        hospital.courier.deliver(DUE)
    assert set(hospital.statuses().values()) == {("held", "presentation-context-rejected")}


def test_a_rejected_association_says_why_and_is_tried_again(tmp_path: Path) -> None:
    with listening(Pacs(), require_called=True) as pacs:
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        hospital.courier.deliver(DUE)
    assert set(hospital.statuses().values()) == {("waiting", "association-rejected-1/1/7")}


def test_when_the_destination_is_full_the_reports_wait_behind_the_segmentation(
    tmp_path: Path,
) -> None:
    with listening(Pacs(status=0xA700)) as pacs:
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        hospital.courier.deliver(DUE)
        assert len(pacs.arrived) == 1
        assert set(hospital.statuses().values()) == {("waiting", "status-A700")}
        pacs.status = 0x0000
        hospital.clock.advance(1)
        hospital.courier.deliver(DUE)
    assert hospital.statuses() == ALL_DELIVERED


def test_one_object_that_is_refused_keeps_no_other_back(tmp_path: Path) -> None:
    with listening(Pacs()) as pacs:
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        pacs.statuses[hospital.uid("lung-seg")] = 0xC000
        pacs.statuses[hospital.uid("ratio-report")] = 0xB000
        hospital.courier.deliver(DUE)
    assert hospital.statuses() == ALL_DELIVERED | {
        "lung-seg": ("failed", "status-C000"),
        "ratio-report": ("delivered", "noted-B000"),
    }


def test_an_unknown_destination_is_held(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path, {})
    hospital.courier.deliver(DUE)
    assert set(hospital.statuses().values()) == {("held", "unknown-destination")}


def test_an_object_that_is_gone_from_the_store_fails_alone(tmp_path: Path) -> None:
    with listening(Pacs()) as pacs:
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        (lost,) = [sent for sent in hospital.sent() if sent.output == "lung-seg"]
        hospital.store.delete(lost.payload.uri)
        hospital.courier.deliver(DUE)
    assert hospital.statuses() == ALL_DELIVERED | {"lung-seg": ("failed", "payload-missing")}


def test_a_newer_version_stops_a_shipment_that_is_under_way(tmp_path: Path) -> None:
    pacs = InterruptedPacs()
    with listening(pacs):
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        newer = RealObjects(hospital.store, version=2).input_ready()
        pacs.meanwhile = lambda: hospital.intake.take([newer])
        hospital.courier.deliver(DUE)
    withdrawn = dict.fromkeys(ALL_DELIVERED, ("failed", "superseded-by-newer-version"))
    assert hospital.statuses() == withdrawn | {"lesion-seg": ("delivered", None)}
    assert [uid for uid, _ in pacs.arrived] == [hospital.uid("lesion-seg")]
    assert hospital.announced() == [("lesion-seg", "delivered", 1)]


def test_a_study_that_was_given_to_another_patient_is_held(tmp_path: Path) -> None:
    with listening(Pacs(known_as="P2")) as pacs:
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        hospital.courier.deliver(DUE)
    assert set(hospital.statuses().values()) == {("held", "identity-conflict")}
    assert pacs.arrived == []


def test_a_study_that_is_known_under_the_same_patient_is_delivered(tmp_path: Path) -> None:
    with listening(Pacs(known_as="P1")) as pacs:
        hospital = Hospital(tmp_path, {"pacs": pacs.destination})
        hospital.courier.deliver(DUE)
    assert hospital.statuses() == ALL_DELIVERED


def test_a_commitment_is_asked_for_and_its_report_noted(tmp_path: Path) -> None:
    with listening(Pacs()) as pacs:
        commits = pacs.destination.model_copy(update={"commitment": True})
        hospital = Hospital(tmp_path, {"pacs": commits})
        hospital.courier.deliver(DUE)
        hospital.courier.confirmer.confirm(DUE)
    ((transaction, asked),) = pacs.asked
    assert set(asked) == set(hospital.objects())
    answers = [{"sop_instance_uid": uid, "committed": uid == asked[0]} for uid in asked]
    report = CommitmentReported.model_validate(
        {"transaction_uid": transaction, "instances": answers}
    )
    event = Event("1", "ingest", "commitment-reported", "", RECEIVED, "", report)
    place = Place("clarion.commitment-reported.v1", 0, 0, None)
    hospital.intake.take([Received(event, place)])
    committed = {sent.sop_instance_uid: sent.committed for sent in hospital.sent()}
    assert committed == {uid: uid == asked[0] for uid in asked}


@pytest.mark.parametrize(
    ("takes", "commits", "code"),
    [
        (True, 0x0000, None),
        (True, 0x0110, "status-0110"),
        (False, 0x0000, "presentation-context-rejected"),
    ],
)
def test_why_a_commitment_is_not_taken_is_said(takes: bool, commits: int, code: str | None) -> None:
    about = [Unconfirmed(SEG, "2.25.7", 0)]
    with listening(Pacs(commits=commits), confirms=takes) as pacs:
        assert ask_commitment(pacs.destination, about, "2.25.8") == code


def test_that_nobody_is_there_to_commit_itself_is_said() -> None:
    nobody = Destination(ae_title="PACS", host="127.0.0.1", port=free_port(), timeout_s=1)
    assert ask_commitment(nobody, [Unconfirmed(SEG, "2.25.7", 0)], "2.25.8") == "no-connection"


async def test_a_destination_that_never_answers_delays_no_other(tmp_path: Path) -> None:
    with listening(Pacs()) as pacs, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # takes the connection, and says nothing
        port = silent.getsockname()[1]
        mute = Destination(ae_title="MUTE", host="127.0.0.1", port=port, timeout_s=1)
        hospital = Hospital(tmp_path, {"pacs": pacs.destination, "mute": mute})
        with hospital.ledger.transaction() as connection:
            deliveries.plan(connection, [elsewhere(hospital, "mute")], RECEIVED)
        ended: list[float] = []
        dispatch = Dispatch(hospital.courier, 1, lambda: ended.append(len(pacs.arrived)))
        await dispatch.round()
        await dispatch.settled()
        dispatch.close()
    assert ended == [4, 4]
    by_destination = {sent.destination: sent.status for sent in hospital.sent()}
    assert by_destination == {"pacs": "delivered", "mute": "waiting"}


def test_an_association_that_is_aborted_is_not_waited_for(tmp_path: Path) -> None:
    with listening(Pacs(silent_once=True)) as pacs:
        patient = pacs.destination.model_copy(update={"timeout_s": 600})
        hospital = Hospital(tmp_path, {"pacs": patient})
        carrying = Thread(target=hospital.courier.deliver, args=[DUE], daemon=True)
        carrying.start()
        carrying.join(60)
        assert not carrying.is_alive()
    assert {sent.status for sent in hospital.sent()} == {"waiting"}


async def test_a_clock_that_is_set_back_puts_nothing_off_for_longer_than_usual(
    tmp_path: Path,
) -> None:
    with listening(Pacs()) as pacs, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        absent = pacs.destination.model_copy(update={"port": nobody.getsockname()[1]})
        destinations = {"pacs": absent}
        hospital = Hospital(tmp_path, destinations)
        dispatch = Dispatch(hospital.courier, 1)
        for hours, then in ((1, absent), (-1, pacs.destination)):
            hospital.clock.advance(hours * 3600)
            destinations["pacs"] = then
            await dispatch.round()
            await dispatch.settled()
        assert pacs.arrived == []
        hospital.clock.advance(hospital.courier.backoff.longest)
        await dispatch.round()
        await dispatch.settled()
        dispatch.close()
    assert hospital.statuses() == ALL_DELIVERED


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (0x0000, "delivered"),
        (0xB000, "delivered"),
        (0xB006, "delivered"),
        (0xB007, "delivered"),
        (0x0111, "delivered"),
        (0xA700, "retry"),
        (0xA7FF, "retry"),
        (0x0110, "retry"),
        (0x0122, "held"),
        (0x0124, "held"),
        (0xA900, "failed"),
        (0xC000, "failed"),
        (0xFFFF, "failed"),
    ],
)
def test_what_a_status_means(status: int, verdict: str) -> None:
    assert judge(status).verdict == verdict


def test_the_backoff_doubles_up_to_its_longest() -> None:
    waits = [Backoff(1, 300).after(attempts).total_seconds() for attempts in range(1, 12)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert Backoff(1, 300).after(10_000).total_seconds() == 300
