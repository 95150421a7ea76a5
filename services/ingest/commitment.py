"""What a destination says of our own output: storage commitment reports (PS3.4 J.3.3).

Clarion's AE title takes them here, because a destination may open an association of its own for
its report, and this is the port that listens.
"""

import re
from collections.abc import Iterator

from pydicom import Dataset

from shared import identity
from shared.events.models import CommitmentReported, CommittedInstance

KIND = "commitment-reported"
_OURS = re.compile(r"2\.25\.[0-9]{1,39}")
"""Every UID of ours is derived from a UUID (PS3.5 B.2); a source's stay here."""
_INSTANCES = 500
"""Of one event: some 70 kB of JSON, where the bus takes 1 MiB."""


def reported(information: Dataset) -> CommitmentReported | None:
    """The fact behind an event information; None when the transaction is none of ours.

    Raises `AttributeError` when it names no transaction, `OverflowError` for a failure reason
    that is none (0008,1197: 16 bits).
    """
    transaction = str(information.TransactionUID)
    if not _is_ours(transaction):
        return None
    instances = (*_instances(information, failed=False), *_instances(information, failed=True))
    return CommitmentReported(transaction_uid=transaction, instances=instances)


def _instances(information: Dataset, *, failed: bool) -> Iterator[CommittedInstance]:
    for item in information.get("FailedSOPSequence" if failed else "ReferencedSOPSequence") or ():
        uid = str(item.get("ReferencedSOPInstanceUID", ""))
        reason = item.get("FailureReason") if failed else None
        if _is_ours(uid):
            yield CommittedInstance(
                sop_instance_uid=uid,
                committed=not failed,
                failure_reason=None if reason is None else int(reason).to_bytes(2).hex().upper(),
            )


def _is_ours(uid: str) -> bool:
    """Whether it may be ours; whoever reports may have written anything, of any length."""
    return bool(_OURS.fullmatch(uid))


def parts(report: CommitmentReported) -> Iterator[CommitmentReported]:
    """The events that a report becomes: a peer may name any number of instances at once, and the
    bus takes no event without end."""
    for first in range(0, max(1, len(report.instances)), _INSTANCES):
        instances = report.instances[first : first + _INSTANCES]
        yield report.model_copy(update={"instances": instances})


def report_id(report: CommitmentReported) -> str:
    """The id of its event: the same report again is the same fact."""
    return str(identity.derived("event", KIND, report.model_dump(mode="json")))
