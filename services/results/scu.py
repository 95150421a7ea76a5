"""Sends objects over one association, byte for byte as they lie in the payload store."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from services.results.merged import find_context, identity_conflicts
from services.results.settings import Destination
from shared.dicom.lost import KNOWN_AT_ONCE, until_resumed

_config.STORE_SEND_CHUNKED_DATASET = True  # a file is sent as it is, never decoded and encoded

Verdict = Literal["delivered", "held", "failed", "retry"]


@dataclass(frozen=True)
class Parcel:
    """One object of a shipment."""

    sop_class_uid: str
    sop_instance_uid: str
    path: Path


class Instance(Protocol):
    """What a commitment is asked for."""

    @property
    def sop_class_uid(self) -> str: ...

    @property
    def sop_instance_uid(self) -> str: ...


@dataclass(frozen=True)
class Answer:
    """What came of sending one object: `code` says why it is not simply delivered."""

    verdict: Verdict
    code: str | None = None
    dicom_status: str | None = None


DELIVERED = Answer("delivered", None, "0000")
NO_CONNECTION = Answer("retry", "no-connection")
ASSOCIATION_LOST = Answer("retry", "association-lost")
NO_RESPONSE = Answer("retry", "no-response")
_LOST = (ASSOCIATION_LOST, NO_RESPONSE)
IDENTITY_CONFLICT = Answer("held", "identity-conflict")
NOT_ACCEPTED = Answer("held", "presentation-context-rejected")


def send(
    destination: Destination, parcels: Sequence[Parcel], is_wanted: Callable[[Parcel], bool]
) -> Iterator[Answer | None]:
    """Send parcels in order over one association; one answer for each, as it comes.

    Just before each it asks whether that one is still wanted: what is not is passed over, with
    None for its answer. After an answer that is worth another try nothing more is sent: reports
    never arrive before the segmentation that they refer to.
    """
    answer = NO_CONNECTION
    contexts = [_context(parcel) for parcel in parcels]
    unique = {(c.abstract_syntax, c.transfer_syntax[0]): c for c in contexts}
    association = _associate(destination, [*unique.values(), find_context()])
    try:
        answer = _established(association)
        if association.is_established and identity_conflicts(association, parcels[0].path):
            yield from (IDENTITY_CONFLICT for _ in parcels)
            return
        for parcel in parcels:
            if not is_wanted(parcel):
                yield None
                continue
            if answer.verdict != "retry":
                answer = _store(association, parcel)
            yield answer
    finally:
        if answer in _LOST:
            association.abort()  # a release would wait for an answer, too
        elif association.is_established:
            association.release()


def ask_commitment(
    destination: Destination, instances: Sequence[Instance], transaction_uid: str
) -> str | None:
    """Ask the destination to commit itself to what it was sent (PS3.4 J.3.2.1.1).

    The report comes later, as N-EVENT-REPORT to our own AE. Why the request was not taken, as a
    code; None when it was.
    """
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = [_reference(instance) for instance in instances]
    association = _associate(destination, [build_context(StorageCommitmentPushModel)])
    if not association.is_established:
        answer = _established(association)
        return answer.code if answer.verdict == "retry" else NOT_ACCEPTED.code
    try:
        status, _ = association.send_n_action(
            request, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
    except (ValueError, RuntimeError):
        return ASSOCIATION_LOST.code
    else:
        if "Status" not in status:
            return NO_RESPONSE.code
        return f"status-{status.Status:04X}" if status.Status else None
    finally:
        if association.is_established:
            association.release()


def judge(status: int) -> Answer:
    """What a C-STORE status means for delivery (PS3.4 B.2.3, PS3.7 C)."""
    code = f"{status:04X}"
    if status == 0x0000:
        return DELIVERED
    if status in (0xB000, 0xB006, 0xB007, 0x0107, 0x0116, 0x0111):
        return Answer("delivered", f"noted-{code}", code)  # 0111: the receiver holds it already
    if status & 0xFF00 == 0xA700 or status in (0x0110, 0x0213):
        return Answer("retry", f"status-{code}", code)
    if status in (0x0122, 0x0124):
        return Answer("held", f"status-{code}", code)  # until somebody configures the receiver
    return Answer("failed", f"status-{code}", code)


def _context(parcel: Parcel) -> PresentationContext:
    syntax = read_file_meta_info(parcel.path).TransferSyntaxUID
    return build_context(parcel.sop_class_uid, [syntax])


def _associate(destination: Destination, contexts: list[PresentationContext]) -> Association:
    ae = AE(ae_title=destination.calling_ae)
    ae.connection_timeout = destination.timeout_s / 3
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = destination.timeout_s
    return ae.associate(
        destination.host,
        destination.port,
        contexts=contexts,
        ae_title=destination.ae_title,
        evt_handlers=KNOWN_AT_ONCE,
    )


def _established(association: Association) -> Answer:
    """Whether there is an association to send over; without one, the answer for every parcel."""
    if association.is_established or association.rejected_contexts:
        return DELIVERED
    if association.is_rejected:
        return Answer("retry", f"association-rejected-{_rejection(association)}")
    return NO_CONNECTION


def _rejection(association: Association) -> str:
    """`1/1/7`: result, source and reason (PS3.8 9.3.4)."""
    answer = association.acceptor.primitive
    return f"{answer.result}/{answer.result_source}/{answer.diagnostic}" if answer else "unknown"


def _store(association: Association, parcel: Parcel) -> Answer:
    wanted = _context(parcel)
    accepted = {(c.abstract_syntax, c.transfer_syntax[0]) for c in association.accepted_contexts}
    if (wanted.abstract_syntax, wanted.transfer_syntax[0]) not in accepted:
        return NOT_ACCEPTED
    try:
        until_resumed(association)
        status = association.send_c_store(parcel.path)
    except (RuntimeError, ValueError, OSError):
        return ASSOCIATION_LOST
    if "Status" not in status:
        return NO_RESPONSE
    return judge(int(status.Status))


def _reference(instance: Instance) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = instance.sop_class_uid
    item.ReferencedSOPInstanceUID = instance.sop_instance_uid
    return item
