"""What a sender is told: statuses, rejections, and which syntax is chosen."""

import socket
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import (
    JPEG2000,
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
)
from pynetdicom import AE

from services.ingest.assembly import listen
from services.ingest.checks import NOT_NOW, Received, Status
from services.ingest.refused import Refused
from services.ingest.settings import IngestSettings
from services.ingest.tests.conftest import House, started
from services.ingest.tests.instances import STUDY, associate, ct, encoded, send
from shared.clock import ManualClock
from shared.store.memory import MemoryStore


def received(dataset: bytes, **changes: str) -> Received:
    given: dict[str, Any] = {
        "sop_class_uid": CTImageStorage,
        "sop_instance_uid": f"{STUDY}.1.1",
        "transfer_syntax_uid": ExplicitVRLittleEndian,
        "association": "a",
        "called_ae": "COVID19",
        "calling_ae": "SCANNER",
        **changes,
    }
    return Received(dataset=dataset, **given)


def test_what_is_handled_after_its_association_ended_still_has_its_name(house: House) -> None:
    """The connection is lost while an instance waits for its handler."""
    asked = SimpleNamespace(called_ae_title="COVID19", calling_ae_title="SCANNER")
    event: Any = SimpleNamespace(
        assoc=SimpleNamespace(
            clarion_name="a",
            clarion_open=True,
            clarion_refused=Refused("COVID19", "SCANNER"),
            requestor=SimpleNamespace(primitive=asked),
        ),
        context=SimpleNamespace(transfer_syntax=ExplicitVRLittleEndian),
        request=SimpleNamespace(
            AffectedSOPClassUID=CTImageStorage,
            AffectedSOPInstanceUID=f"{STUDY}.1.1",
            DataSet=BytesIO(encoded(ct(1))),
            Priority=0,
        ),
    )
    house.scp._end(event, clean=False)
    assert house.scp._store(event).Status == Status.SUCCESS
    assert len(house.quiet()) == 1


def without(keyword: str) -> bytes:
    dataset = ct(1)
    delattr(dataset, keyword)
    return encoded(dataset)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (received(encoded(ct(1))), Status.SUCCESS),
        (received(encoded(ct(1, Modality="OT"))), Status.SUCCESS),
        (received(encoded(ct(1)), sop_instance_uid="1.2.a"), Status.INVALID_UID),
        (received(encoded(ct(1)), sop_instance_uid="1." * 32 + "1"), Status.INVALID_UID),
        (received(encoded(ct(1)), sop_instance_uid="1..2"), Status.INVALID_UID),
        (received(encoded(ct(1)), sop_class_uid="1.2.840.10008.5.1.4.1.1.4"), Status.MISMATCH),
        (received(encoded(ct(2))), Status.MISMATCH),
        (received(b"not a data set"), Status.CANNOT_UNDERSTAND),
        (received(b""), Status.CANNOT_UNDERSTAND),
        (received(without("StudyInstanceUID")), Status.CANNOT_UNDERSTAND),
        (received(without("SOPInstanceUID")), Status.CANNOT_UNDERSTAND),
    ],
)
def test_the_status_of_an_instance(house: House, request_: Received, status: Status) -> None:
    assert house.ingest.receiver.receive(request_).status == status


def test_the_disk_below_its_reserve(settings: IngestSettings) -> None:
    full = settings.model_copy(update={"reserve_mb": 1 << 40})
    ingest = started(full, MemoryStore(), ManualClock())
    scp = listen(full, ingest)
    answer = ingest.receiver.receive(received(encoded(ct(1))))
    assert (answer, rejection(scp.port)) == (NOT_NOW, (2, 3, 2))
    scp.close()
    ingest.close()


def rejection(port: int, called: str = "COVID19", calling: str = "SCANNER") -> tuple[int, ...]:
    association = associate(port, called, calling)
    answer: Any = association.acceptor.primitive
    assert association.is_rejected
    return answer.result, answer.result_source, answer.diagnostic


def test_an_unknown_called_ae_title_is_rejected(house: House) -> None:
    assert rejection(house.scp.port, called="NOBODY") == (1, 1, 7)


def test_a_caller_that_is_not_allowed_is_rejected(settings: IngestSettings) -> None:
    strict = settings.model_copy(update={"callers": ("SCANNER",)})
    ingest = started(strict, MemoryStore(), ManualClock())
    scp = listen(strict, ingest)
    assert rejection(scp.port, calling="STRANGER") == (1, 1, 3)
    assert send(scp.port, [ct(1)]) == [0]
    scp.close()
    ingest.close()


def test_too_many_associations_are_rejected_for_a_while(settings: IngestSettings) -> None:
    small = settings.model_copy(update={"maximum_associations": 1})
    ingest = started(small, MemoryStore(), ManualClock())
    scp = listen(small, ingest)
    first = associate(scp.port)
    assert rejection(scp.port) == (2, 3, 2)
    first.release()
    scp.close()
    ingest.close()


def test_echo(house: House) -> None:
    association = associate(house.scp.port)
    assert association.send_c_echo().Status == 0
    association.release()


@pytest.mark.parametrize(
    ("proposed", "chosen"),
    [
        ((JPEGBaseline8Bit, JPEG2000, JPEG2000Lossless), JPEG2000Lossless),
        ((JPEG2000Lossless, ExplicitVRLittleEndian), ExplicitVRLittleEndian),
        ((JPEGBaseline8Bit,), JPEGBaseline8Bit),
    ],
)
def test_lossless_is_chosen_before_lossy(
    house: House, proposed: tuple[str, ...], chosen: str
) -> None:
    association = associate(house.scp.port, syntaxes=proposed)
    accepted = {cx.abstract_syntax: cx.transfer_syntax[0] for cx in association.accepted_contexts}
    association.release()
    assert accepted[CTImageStorage] == chosen


def test_several_hostile_connections_leave_the_port_open(house: House) -> None:
    for garbage in (b"\0" * 6, b"\1\0\xff\xff\xff\xffAAAA", b"\4\0\0\0\0\4abcd", b"GET / HTTP/1.1"):
        with socket.create_connection(("127.0.0.1", house.scp.port)) as connection:
            connection.sendall(garbage)
    assert send(house.scp.port, [ct(1)]) == [0]


def test_every_storage_class_is_accepted(house: House) -> None:
    entity = AE(ae_title="SCANNER")
    for sop_class in ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.104.1"):
        entity.add_requested_context(sop_class)
    association = entity.associate("127.0.0.1", house.scp.port, ae_title="COVID19")
    assert len(association.accepted_contexts) == 2
    association.release()


def test_a_data_set_without_its_end_does_not_end_the_association(house: House) -> None:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
    assert send(house.scp.port, [dataset, ct(1)]) == [Status.CANNOT_UNDERSTAND, 0]


@pytest.mark.parametrize("uid", ["1.2.a", "1." * 40 + "1"])
def test_an_invalid_uid_gets_a_status_and_the_association_goes_on(house: House, uid: str) -> None:
    assert send(house.scp.port, [ct(1, SOPInstanceUID=uid), ct(1)]) == [Status.INVALID_UID, 0]
