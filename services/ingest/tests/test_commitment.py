"""A destination's storage commitment report becomes a fact, once and without a source's UIDs."""

from typing import cast

import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom import AE, build_role
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from services.ingest.checks import Status
from services.ingest.tests.conftest import House
from services.ingest.tests.instances import associate, ct, with_meta
from shared.events.models import CommitmentReported, CommittedInstance
from shared.events.wire import encode


def reference(uid: str, reason: int | None = None) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = CTImageStorage, uid
    if reason is not None:
        made.FailureReason = reason
    return made


def report(port: int, transaction: str, *, with_role: bool, event_type: int = 2) -> int:
    """The status of a report, as a PACS sends it on an association of its own."""
    information = Dataset()
    information.TransactionUID = transaction
    information.ReferencedSOPSequence = [reference("2.25.1"), reference("1.2.840.1")]
    information.FailedSOPSequence = [reference("2.25.2", 0x0112)]
    entity = AE(ae_title="PACS")
    entity.add_requested_context(StorageCommitmentPushModel)
    roles = [build_role(StorageCommitmentPushModel, scp_role=True)] if with_role else []
    association = entity.associate("127.0.0.1", port, ae_title="CLARION", ext_neg=list(roles))
    status, _ = association.send_n_event_report(
        information, event_type, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    association.release()
    return int(status.Status)


def test_a_report_becomes_a_fact(house: House) -> None:
    assert report(house.scp.port, "2.25.7", with_role=True) == 0
    house.publish()
    (event,) = house.bus.events("commitment-reported")
    assert event.data == CommitmentReported(
        transaction_uid="2.25.7",
        instances=(
            CommittedInstance(sop_instance_uid="2.25.1", committed=True),
            CommittedInstance(sop_instance_uid="2.25.2", committed=False, failure_reason="0112"),
        ),
    )


def test_the_same_report_again_and_after_a_crash_is_the_same_fact(house: House) -> None:
    for _ in range(2):
        assert report(house.scp.port, "2.25.7", with_role=False) == 0
    for path in house.settings.journal_folder().glob("index.sqlite*"):
        path.unlink()
    house.restart()
    house.publish()
    assert len(house.bus.records) == 1


def test_a_report_of_any_length_becomes_events_that_the_bus_takes(house: House) -> None:
    """A stranger's too: what can't be published would stand before every study that follows."""
    information = Dataset()
    information.TransactionUID = "2.25.7"
    uids = [f"2.25.{10**38 + number}" for number in range(14_000)]
    information.ReferencedSOPSequence = [reference(uid) for uid in uids]
    assert house.ingest.reported(information) is Status.SUCCESS

    house.publish()

    events = house.bus.events("commitment-reported")
    assert max(len(encode(event)[1]) for event in events) < 1 << 17
    assert len({event.id for event in events}) == len(events)
    reports = [cast("CommitmentReported", event.data) for event in events]
    assert [each.sop_instance_uid for told in reports for each in told.instances] == uids


@pytest.mark.parametrize("name", ["2.25." + "7" * 50, "2.25.", "2.25.7a"])
def test_a_name_that_is_no_uid_is_none_of_ours(house: House, name: str) -> None:
    information = Dataset()
    information.TransactionUID = "2.25.7"
    item = Dataset()
    item.add_new("ReferencedSOPInstanceUID", "LO", name)
    information.ReferencedSOPSequence = [item]
    house.ingest.reported(information)
    house.publish()
    (event,) = house.bus.events("commitment-reported")
    assert event.data == CommitmentReported(transaction_uid="2.25.7", instances=())


def test_a_transaction_that_is_none_of_ours_is_no_fact(house: House) -> None:
    assert report(house.scp.port, "1.2.3", with_role=True) == 0
    house.publish()
    assert house.bus.records == []


def test_an_unknown_event_type(house: House) -> None:
    answer = report(house.scp.port, "2.25.7", with_role=True, event_type=9)
    assert answer == Status.NO_SUCH_EVENT_TYPE


def test_our_own_ae_title_stores_nothing(house: House) -> None:
    association = associate(house.scp.port, "CLARION")
    status = association.send_c_store(with_meta(ct(1))).Status
    association.release()
    assert status == Status.NOT_SUPPORTED
