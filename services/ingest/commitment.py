"""What a destination says of our own output: storage commitment reports (PS3.4 J.3.3).

Clarion's AE title takes them here, because a destination may open an association of its own for
its report, and this is the port that listens.
"""

from collections.abc import Iterator

from pydicom import Dataset

from shared import identity
from shared.events.models import CommitmentReported, CommittedInstance

KIND = "commitment-reported"
_OURS = "2.25."  # every UID of ours is derived from a UUID (PS3.5 B.2); a source's stay here


def reported(information: Dataset) -> CommitmentReported | None:
    """The fact behind an event information; None when the transaction is none of ours.

    Raises `AttributeError` when it names no transaction.
    """
    transaction = str(information.TransactionUID)
    if not transaction.startswith(_OURS):
        return None
    instances = (*_instances(information, failed=False), *_instances(information, failed=True))
    return CommitmentReported(transaction_uid=transaction, instances=instances)


def _instances(information: Dataset, *, failed: bool) -> Iterator[CommittedInstance]:
    for item in information.get("FailedSOPSequence" if failed else "ReferencedSOPSequence") or ():
        uid = str(item.get("ReferencedSOPInstanceUID", ""))
        reason = item.get("FailureReason") if failed else None
        if uid.startswith(_OURS):
            yield CommittedInstance(
                sop_instance_uid=uid,
                committed=not failed,
                failure_reason=None if reason is None else f"{int(reason):04X}",
            )


def report_id(report: CommitmentReported) -> str:
    """The id of its event: the same report again is the same fact."""
    return str(identity.derived("event", KIND, report.model_dump(mode="json")))
