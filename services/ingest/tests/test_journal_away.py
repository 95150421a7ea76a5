"""The journal's folder is lost for a while, as with its mount: senders are told to try again."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from starlette.applications import Starlette
from starlette.testclient import TestClient

from services.ingest.checks import KEPT, NOT_NOW, Answer, Received, Status
from services.ingest.journal import Replaced
from services.ingest.publishing import Outbox
from services.ingest.scp import Admission, Calls, StorageScp
from services.ingest.serving import Troubles, look_at_the_disk
from services.ingest.stow import stow_routes
from services.ingest.tests.conftest import House
from services.ingest.tests.instances import associate, ct, encoded, send, with_meta
from services.ingest.tests.test_scp import rejection
from services.ingest.tests.test_stow import HEADERS, body, file
from shared.events.models import Lane


@contextmanager
def away(house: House) -> Iterator[None]:
    """The journal's folder has another name meanwhile."""
    folder = house.settings.journal_folder()
    elsewhere = folder.with_name("elsewhere")
    folder.rename(elsewhere)
    yield
    elsewhere.rename(folder)


def image(number: int) -> Received:
    made = ct(number)
    named = (made.SOPClassUID, made.SOPInstanceUID, ExplicitVRLittleEndian)
    return Received(*named, encoded(made), "association", "COVID19", "SCANNER")


def health(house: House) -> Troubles:
    troubles: Troubles = {}
    look_at_the_disk(house.ingest.receiver.leaves_reserve, troubles)
    return troubles


def test_senders_are_told_to_try_again_and_go_on_when_it_is_back(house: House) -> None:
    association = associate(house.scp.port)
    first = association.send_c_store(with_meta(ct(1))).Status
    with away(house):
        meanwhile = association.send_c_store(with_meta(ct(2))).Status
        rejected, said = rejection(house.scp.port), health(house)
    again = association.send_c_store(with_meta(ct(2))).Status
    association.release()

    assert (first, meanwhile, again) == (0, Status.OUT_OF_RESOURCES, 0)
    assert (rejected, said) == ((2, 3, 2), {"disk": "the journal: No such file or directory"})
    assert (send(house.scp.port, [ct(3)]), health(house)) == ([0], {})
    assert [ready.completeness.instances for ready in house.quiet()] == [3]


def test_over_http_too(house: House) -> None:
    http = TestClient(Starlette(routes=stow_routes(house.ingest.receiver, house.settings.aes)))
    with away(house):
        refused = http.post("/COVID19/studies", content=body(file(1)), headers=HEADERS)
    kept = http.post("/COVID19/studies", content=body(file(1)), headers=HEADERS)
    assert (refused.status_code, kept.status_code) == (503, 200)


def test_nothing_is_kept_in_the_empty_folder_that_a_lost_mount_leaves(house: House) -> None:
    folder = house.settings.journal_folder()
    report = Dataset()
    report.TransactionUID = "2.25.1"
    with away(house):
        folder.mkdir()
        told = house.ingest.receiver.receive(image(1)), house.ingest.reported(report)
        left = list(folder.iterdir())
        folder.rmdir()

    assert (told, left) == ((NOT_NOW, Status.RESOURCE_LIMITATION), [])
    assert house.ingest.receiver.receive(image(1)) is KEPT


def test_ingest_starts_anew_on_another_folder_in_its_place(house: House) -> None:
    """What is open leads to the one before; the new one is read by a start, as after a crash."""
    send(house.scp.port, [ct(1)])
    folder = house.settings.journal_folder()
    before = folder.rename(folder.with_name("before"))
    shutil.copytree(before, folder)

    assert house.ingest.receiver.receive(image(2)) is NOT_NOW
    with pytest.raises(Replaced):
        health(house)
    house.restart()
    assert send(house.scp.port, [ct(2)]) == [0]
    assert [ready.completeness.instances for ready in house.quiet()] == [2]


def test_an_association_whose_judging_failed_has_its_name() -> None:
    """The library accepts it then."""
    received: list[Received] = []

    def has_room() -> bool:
        raise RuntimeError

    def receive(instance: Received) -> Answer:
        received.append(instance)
        return KEPT

    calls = Calls(receive, lambda _: Status.SUCCESS, lambda *_: None)
    scp = StorageScp(("127.0.0.1", 0), Admission({"COVID19"}, (), 1, has_room), calls)
    scp.start()
    statuses = send(scp.port, [ct(1)])
    scp.close()
    assert (statuses, [bool(one.association) for one in received]) == ([0], [True])


def test_what_can_not_be_noted_is_published_once_and_holds_nobody_back(house: House) -> None:
    send(house.scp.port, [ct(1)])
    send(house.scp.port, [ct(2, StudyInstanceUID="1.2.3")], called="COVID19STAT")
    house.clock.advance(6)
    house.ingest.decider.decide_due()
    house.restart()
    journal, index = house.ingest.journal, house.ingest.index
    outbox = Outbox(house.bus.publish, journal, index, house.store, 4, house.clock)

    with away(house):
        for _ in range(3):
            with pytest.raises(FileNotFoundError):
                asyncio.run(outbox.flush())
        assert [ready.lane for ready in house.published()] == [Lane.ROUTINE, Lane.STAT]

    assert [asyncio.run(outbox.flush()) for _ in range(2)] == [2, 0]
    house.restart()
    house.publish()
    assert len(house.published()) == 2
