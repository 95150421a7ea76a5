"""A storage SCU: sends files over C-STORE, byte for byte as they are (PS3.4 annex B)."""

import re
import socket
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self

from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.presentation import build_context
from pynetdicom.status import GENERAL_STATUS, STORAGE_SERVICE_CLASS_STATUS

from clarion.failure import Failure
from clarion.part10 import Instance
from shared.dicom.lost import KNOWN_AT_ONCE, until_resumed
from shared.events.models import Lane

_config.STORE_SEND_CHUNKED_DATASET = True  # a file is sent as it is, never decoded and encoded

CALLING_AE = "CLARION-SEND"
_MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd identifiers from 1 to 255
_TIMEOUT_S = 60
_PRIORITY = {Lane.STAT: 1, Lane.ROUTINE: 0, Lane.BULK: 2}  # PS3.7 9.3.1.1: high, medium, low
_STATUSES: dict[int, tuple[str, str]] = {
    **GENERAL_STATUS,
    **STORAGE_SERVICE_CLASS_STATUS,
}
_TARGET = re.compile(r"(?P<ae>[^@\\]{1,16})@(?P<host>[^@\s]+):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True)
class Target:
    """An application entity that answers C-STORE."""

    ae_title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `AE@HOST:PORT`. Raises ValueError."""
        found = _TARGET.fullmatch(text)
        if not found or not 0 < int(found["port"]) < 1 << 16:
            raise ValueError(
                f"{text!r} is not AE@HOST:PORT with an AE title of at most 16 characters"
            )
        return cls(found["ae"], found["host"].strip("[]"), int(found["port"]))

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


@dataclass(frozen=True)
class Answer:
    """What the target said to one instance; `status` is None when it said nothing."""

    instance: Instance
    stored: bool
    status: str | None
    meaning: str
    lost: bool = False
    """The association went before an answer came: another one may bring it."""


class Abandoned(Exception):
    """Thrown into `store` where it stands: the association is aborted, not released."""


def store(
    target: Target, instances: Sequence[Instance], lane: Lane
) -> Generator[Answer, None, None]:
    """Send all, in order, and give each answer as it comes: one for every instance.

    One association, except for files of more than 128 combinations of SOP class and transfer
    syntax. Raises Failure when there is no association to send over.
    """
    for some in _batches(instances):
        association = _associate(target, some)
        gone = False
        try:
            for instance in some:
                answer = _gone(instance) if gone else _store(association, instance, _PRIORITY[lane])
                gone = answer.lost
                yield answer
        except Abandoned:
            association.abort()
            raise
        finally:
            if gone:
                association.abort()
            elif association.is_established:
                association.release()


def _batches(instances: Sequence[Instance]) -> Iterator[list[Instance]]:
    remaining = iter(dict.fromkeys(map(_kind, instances)))
    while kinds := set(islice(remaining, _MOST_CONTEXTS)):
        yield [instance for instance in instances if _kind(instance) in kinds]


def _kind(instance: Instance) -> tuple[str, str]:
    return instance.sop_class_uid, instance.transfer_syntax_uid


def _associate(target: Target, instances: Iterable[Instance]) -> Association:
    entity = AE(ae_title=CALLING_AE)
    entity.maximum_pdu_size = 0
    entity.connection_timeout = 10
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _TIMEOUT_S
    kinds = sorted(set(map(_kind, instances)))
    contexts = [build_context(sop_class, [syntax]) for sop_class, syntax in kinds]
    association = entity.associate(
        target.host,
        target.port,
        contexts=contexts,
        ae_title=target.ae_title,
        evt_handlers=KNOWN_AT_ONCE,
    )
    if not association.is_established:
        raise Failure(f"no association with {target}: {_why_not(association)}")
    wire: Any = association.dul.socket
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return association


def rejection(association: Association) -> str:
    """Why an association was rejected, with result, source and reason (PS3.8 9.3.4)."""
    answer: Any = association.acceptor.primitive
    code = f"{answer.result}/{answer.result_source}/{answer.diagnostic}"
    return f"rejected, {answer.reason_str.lower()} ({code})"


def _why_not(association: Association) -> str:
    if association.is_rejected:
        return rejection(association)
    if association.rejected_contexts:
        return "it takes none of the files' SOP classes in their transfer syntaxes"
    return "nothing answers there; is the system up? (`clarion up`)"


def _store(association: Association, instance: Instance, priority: int) -> Answer:
    if not association.is_established:
        return _gone(instance)
    if _kind(instance) not in _accepted(association):
        return Answer(instance, False, None, "its SOP class or transfer syntax is not accepted")
    try:
        until_resumed(association)
        status = association.send_c_store(instance.path, priority=priority)
    except (ValueError, RuntimeError, OSError) as error:
        return Answer(instance, False, None, f"not sent: {error}", lost=isinstance(error, OSError))
    if "Status" not in status:
        return Answer(instance, False, None, "no answer: the association was lost", lost=True)
    return _judged(instance, int(status.Status), str(status.get("ErrorComment", "")))


def _gone(instance: Instance) -> Answer:
    return Answer(instance, False, None, "not sent: the association is gone", lost=True)


def _accepted(association: Association) -> set[tuple[str, str]]:
    return {
        (str(context.abstract_syntax), str(context.transfer_syntax[0]))
        for context in association.accepted_contexts
    }


def _judged(instance: Instance, status: int, comment: str) -> Answer:
    """Success and warnings mean that it is stored (PS3.4 B.2.3); the comment is the receiver's."""
    category, meaning = _STATUSES.get(status, ("Failure", ""))
    said = ": ".join(part for part in (meaning or category, comment) if part)
    return Answer(instance, category in ("Success", "Warning"), f"{status:04X}", said)
