"""What is left of a refused instance or association: words for the sender, a line in the log."""

import socket
import struct
import time
from typing import Any

import pytest
import structlog
from pydicom import Dataset
from starlette.applications import Starlette
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from services.ingest.assembly import listen
from services.ingest.checks import NOT_NOW, STORES_NOTHING, UNREADABLE, Received, refusal
from services.ingest.stow import stow_routes
from services.ingest.tests.conftest import House
from services.ingest.tests.instances import STUDY, associate, ct, encoded, send, with_meta
from services.ingest.tests.test_scp import received, rejection
from services.ingest.tests.test_stow import HEADERS, body, file
from shared.dicom.headers import index

SENT = {"called_ae": "COVID19", "peer": "127.0.0.1"}
OTHER = "1.2.840.10008.5.1.4.1.1.4"
LACKS_STUDY = {"status": "C000", "why": "The data set lacks StudyInstanceUID"}


def lacking(*keywords: str) -> Dataset:
    dataset = ct(1)
    for keyword in keywords:
        delattr(dataset, keyword)
    return dataset


@pytest.mark.parametrize(
    ("request_", "comment"),
    [
        (received(encoded(ct(2))), "SOPInstanceUID differs from the command's"),
        (received(encoded(ct(1)), sop_class_uid=OTHER), "SOPClassUID differs from the command's"),
        (
            received(encoded(ct(2)), sop_class_uid=OTHER),
            "SOPClassUID and SOPInstanceUID differ from the command's",
        ),
        (received(encoded(lacking("StudyInstanceUID"))), LACKS_STUDY["why"]),
        (
            received(b""),
            "The data set lacks SOPClassUID, SOPInstanceUID, StudyInstanceUID",
        ),
        (
            received(encoded(ct(1)), sop_instance_uid="1.a"),
            "AffectedSOPInstanceUID is no valid UID",
        ),
    ],
)
def test_a_refusal_says_what_is_wrong(request_: Received, comment: str) -> None:
    refused = refusal(request_, index(request_.dataset, request_.transfer_syntax_uid))
    assert refused
    assert refused.comment == comment
    assert len(comment) <= 64


@pytest.mark.parametrize(
    ("called", "dataset", "comment"),
    [
        ("COVID19", lacking("StudyInstanceUID"), LACKS_STUDY["why"]),
        ("COVID19", ct(1, SOPInstanceUID="1.a"), "AffectedSOPInstanceUID is no valid UID"),
        ("CLARION", ct(1), STORES_NOTHING.comment),
        ("COVID19", ct(1), None),
    ],
)
def test_the_sender_reads_why(
    house: House, called: str, dataset: Dataset, comment: str | None
) -> None:
    association = associate(house.scp.port, called)
    status = association.send_c_store(with_meta(dataset))
    association.release()
    assert status.get("ErrorComment") == comment


@pytest.mark.parametrize("answer", [NOT_NOW, UNREADABLE])
def test_the_sender_reads_why_where_it_is_not_its_fault(
    house: House, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    def has_room(_: int) -> bool:
        if answer is UNREADABLE:
            raise RuntimeError
        return False

    association = associate(house.scp.port)
    monkeypatch.setattr(house.ingest.receiver, "has_room", has_room)
    status = association.send_c_store(with_meta(ct(1)))
    association.abort()
    assert (status.Status, status.ErrorComment) == (answer.status, answer.comment)


def until_it_says(logs: list[Any], event: str) -> None:
    """The end of an association is told after the sender has its answer."""
    end = time.monotonic() + 10
    while time.monotonic() < end and event not in [line["event"] for line in logs]:
        time.sleep(0.01)


def refused_lines(logs: list[Any]) -> list[dict[str, Any]]:
    lines = [line for line in logs if "refused" in line["event"]]
    assert {line.pop("log_level") for line in lines} <= {"warning"}
    return lines


def test_the_log_tells_each_reason_once_and_counts_at_the_end(house: House) -> None:
    invalid = {"status": "0117", "why": "AffectedSOPInstanceUID is no valid UID"}
    datasets = [lacking("StudyInstanceUID")] * 12 + [ct(1, SOPInstanceUID="1.a"), ct(1)]
    with capture_logs() as logs:
        send(house.scp.port, datasets)
        until_it_says(logs, "instances refused")
    assert refused_lines(logs) == [
        {"event": "instance refused", **LACKS_STUDY, **SENT},
        {"event": "instance refused", **invalid, **SENT},
        {"event": "instances refused", "instances": 12, **LACKS_STUDY, **SENT},
    ]
    assert STUDY not in repr(logs)


def test_the_log_tells_what_is_refused_over_http(house: House) -> None:
    app = Starlette(routes=stow_routes(house.ingest.receiver, house.settings.aes))
    files = body(file(1, named=2), file(1, named=3))
    with capture_logs() as logs:
        TestClient(app).post("/COVID19/studies", content=files, headers=HEADERS)
    lines = refused_lines(logs)
    assert [line["event"] for line in lines] == ["instance refused", "instances refused"]
    assert {line["why"] for line in lines} == {"SOPInstanceUID differs from the command's"}
    assert (lines[0]["peer"], lines[1]["instances"]) == ("testclient", 2)


def test_the_log_tells_who_was_rejected(house: House) -> None:
    with capture_logs() as logs:
        assert rejection(house.scp.port, called="NOBODY") == (1, 1, 7)
    (line,) = (line for line in logs if line["event"] == "association rejected")
    assert line.items() >= {"rejection": "1/1/7", "peer": "127.0.0.1"}.items()
    assert "NOBODY" not in repr(logs)
    assert "SCANNER" not in repr(logs)


def test_lines_of_associations_name_their_service(house: House) -> None:
    """Threads begin without context: as a process does, it is bound before the port opens."""
    seen: list[Any] = []

    def note(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        seen.append(event)
        raise structlog.DropEvent

    before = structlog.get_config()
    with structlog.contextvars.bound_contextvars(service="ingest"):
        scp = listen(house.settings, house.ingest)
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, note])
    try:
        rejection(scp.port, called="NOBODY")
        send(scp.port, [lacking("StudyInstanceUID")] * 2)
        until_it_says(seen, "instances refused")
    finally:
        scp.close()
        structlog.configure(**before)
    assert [(line.get("service"), line["event"]) for line in seen] == [
        ("ingest", "association rejected"),
        ("ingest", "instance refused"),
        ("ingest", "instances refused"),
    ]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("title", [b"DOE\x07JANE", b"DO\xcb", b"DOE\\JANE", b"DOE\nJANE"])
def test_a_title_outside_the_default_repertoire_is_not_in_the_log(
    house: House, title: bytes
) -> None:
    with capture_logs() as logs, socket.create_connection(("127.0.0.1", house.scp.port)) as peer:
        peer.settimeout(5)
        peer.sendall(association_request(title, b"NOBODY"))
        answer = peer.recv(1)
    assert answer == b"\x07"  # an abort
    assert "DO" not in repr(logs)


def association_request(calling: bytes, called: bytes) -> bytes:
    """An A-ASSOCIATE-RQ PDU (PS3.8 9.3.2) for verification."""

    def item(kind: int, content: bytes) -> bytes:
        return struct.pack(">BBH", kind, 0, len(content)) + content

    syntaxes = item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2")
    items = item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, b"\1\0\0\0" + syntaxes)
    items += item(0x50, item(0x51, struct.pack(">I", 1 << 14)))
    titles = called.ljust(16) + calling.ljust(16)
    content = struct.pack(">HH", 1, 0) + titles + bytes(32) + items
    return struct.pack(">BBI", 1, 0, len(content)) + content
