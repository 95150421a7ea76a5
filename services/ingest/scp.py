"""The storage SCP: pynetdicom's associations, with our own admission, handed to a callable.

Several called AE titles share one port, and callers, load and disk space are judged before an
association is accepted (PS3.8 9.3.4), since pynetdicom knows one title per server.
"""

import logging
import socket
import sys
from collections.abc import Callable, Collection
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from socketserver import BaseServer
from threading import Thread
from typing import Any
from uuid import uuid4

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from services.ingest.checks import UNREADABLE, Answer, Received, Status
from services.ingest.negotiation import supported_contexts
from services.ingest.refused import Refused
from shared.dicom.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from shared.telemetry.logs import logger

_UNKNOWN_CALLED = (1, 1, 7)
_UNKNOWN_CALLING = (1, 1, 3)
_LOCAL_LIMIT = (2, 3, 2)
_LARGEST_PDU = 1 << 28
_MAXIMUM_LENGTH = 1 << 20
_HIGH = 1
_POLL_S, _COLLECT_S = 0.05, 60.0
_Handle = Callable[[evt.Event], object]


@dataclass(frozen=True)
class Admission:
    """Who may open an association."""

    called: Collection[str]
    callers: Collection[str]
    """Empty: all."""
    maximum: int
    has_room: Callable[[], bool]

    def rejection(self, called: str, calling: str, open_now: int) -> tuple[int, int, int] | None:
        """Result, source and reason of an A-ASSOCIATE-RJ; None to accept."""
        if called not in self.called:
            return _UNKNOWN_CALLED
        if self.callers and calling not in self.callers:
            return _UNKNOWN_CALLING
        if open_now >= self.maximum or not self.has_room():
            return _LOCAL_LIMIT
        return None


def _read(connection: socket.socket, length: int) -> bytearray:
    """`length` bytes in as few calls as the network allows; fewer when the peer is gone."""
    if length > _LARGEST_PDU:
        raise OSError("no PDU of ours is that long")
    data = bytearray(length)
    done = 0
    with memoryview(data) as view:
        while done < length:
            read = connection.recv_into(view[done:])
            if not read:
                break
            done += read
    del data[done:]
    return data


class _Handler(RequestHandler):
    """Makes an association's socket fast: pynetdicom itself reads 4 KiB at a time."""

    def _create_association(self) -> Association:
        connection: socket.socket = self.request
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        association = super()._create_association()
        wrapped: Any = association.dul.socket
        wrapped.recv = partial(_read, connection)
        return association


class _Server(ThreadedAssociationServer):
    """Each request in a thread of its own; what breaks one is logged without its values."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        error = sys.exc_info()[0]
        logger().error("association broke", exception_type=error.__name__ if error else "")

    def shutdown(self) -> None:
        BaseServer.shutdown(self)
        self.server_close()


@dataclass(frozen=True)
class Calls:
    """What an association makes happen; called in its thread."""

    receive: Callable[[Received], Answer]
    reported: Callable[[Dataset], Status]
    """The event information of a storage commitment report."""
    ended: Callable[[str, bool], None]
    """The association's name, and whether it was released."""


class StorageScp:
    """Listens until it is closed."""

    def __init__(
        self,
        address: tuple[str, int],
        admission: Admission,
        calls: Calls,
    ) -> None:
        _prepare_library()
        self._admission = admission
        self._calls = calls
        entity = AE(ae_title="CLARION")
        entity.maximum_pdu_size = _MAXIMUM_LENGTH
        entity.maximum_associations = 1 << 16  # judged in `_requested`
        entity.network_timeout = 60
        entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self._server = entity.make_server(
            address,
            contexts=supported_contexts(),
            evt_handlers=self._handlers(),
            server_class=_Server,
            request_handler=_Handler,
        )
        self.port: int = self._server.server_address[1]
        self._server._gc = [0, int(_COLLECT_S / _POLL_S)]
        serve = partial(self._server.serve_forever, poll_interval=_POLL_S)
        self._thread = Thread(target=serve, name="scp", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop listening; open associations are aborted, and their senders know."""
        for association in self._server.active_associations:
            association.abort()
        self._server.shutdown()

    def _handlers(self) -> list[evt.EventHandlerType]:
        handlers: list[tuple[evt.EventType, _Handle]] = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_C_ECHO, lambda _: int(Status.SUCCESS)),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_EVENT_REPORT, self._report),
            (evt.EVT_RELEASED, lambda event: self._end(event, clean=True)),
            (evt.EVT_ABORTED, lambda event: self._end(event, clean=False)),
            (evt.EVT_CONN_CLOSE, lambda event: self._end(event, clean=False)),
        ]
        return [(kind, _in_this_context(handler)) for kind, handler in handlers]

    def _requested(self, event: evt.Event) -> None:
        """Named before it is judged: where judging fails, the library accepts."""
        association: Any = event.assoc
        association.clarion_name = uuid4().hex
        request = association.requestor.primitive
        called, calling = request.called_ae_title.strip(), request.calling_ae_title.strip()
        peer = str(association.requestor.address)
        association.clarion_refused = Refused(called, peer)
        open_now = sum(other.is_established for other in self._server.active_associations)
        rejection = self._admission.rejection(called, calling, open_now)
        if rejection:
            code = "/".join(map(str, rejection))
            logger().warning("association rejected", rejection=code, peer=peer)
            association.acse.send_reject(*rejection)
            association.kill()
        else:
            association.clarion_open = True

    def _store(self, event: evt.Event) -> Dataset:
        """One C-STORE. Whatever happens, the sender gets a status and the process goes on."""
        try:
            answer = self._calls.receive(_received(event))
        except Exception as error:
            logger().error("an instance was not understood", exception_type=type(error).__name__)
            answer = UNREADABLE
        association: Any = event.assoc
        association.clarion_refused.add(answer)
        return _status(answer)

    def _report(self, event: evt.Event) -> tuple[int, None]:
        """One N-EVENT-REPORT: 1 all committed, 2 some failed (PS3.4 J.3.3.1.1)."""
        try:
            if event.event_type not in (1, 2):
                return int(Status.NO_SUCH_EVENT_TYPE), None
            return int(self._calls.reported(event.event_information)), None
        except Exception as error:
            logger().error("a report was not understood", exception_type=type(error).__name__)
            return int(Status.CANNOT_UNDERSTAND), None

    def _end(self, event: evt.Event, *, clean: bool) -> None:
        """Once; what was sent before may still be handled after it, by the same name."""
        association: Any = event.assoc
        if getattr(association, "clarion_open", False):
            association.clarion_open = False
            association.clarion_refused.ended()
            self._calls.ended(association.clarion_name, clean)


def _in_this_context(handle: _Handle) -> _Handle:
    """For pynetdicom's threads, which begin with no context, so that their logs name no service.

    It asks a handler that raises for its `__name__`, which a `partial` lacks.
    """
    context = copy_context()

    def handle_in_context(event: evt.Event) -> object:
        return context.copy().run(handle, event)

    return handle_in_context


def _received(event: evt.Event) -> Received:
    request: Any = event.request
    association: Any = event.assoc
    asked = association.requestor.primitive
    return Received(
        sop_class_uid=str(request.AffectedSOPClassUID or ""),
        sop_instance_uid=str(request.AffectedSOPInstanceUID or ""),
        transfer_syntax_uid=str(event.context.transfer_syntax),
        dataset=request.DataSet.getvalue() if request.DataSet else b"",
        association=association.clarion_name,
        called_ae=asked.called_ae_title.strip(),
        calling_ae=asked.calling_ae_title.strip(),
        high_priority=request.Priority == _HIGH,
    )


def _status(answer: Answer) -> Dataset:
    """What pynetdicom answers to a C-STORE."""
    status = Dataset()
    status.Status = int(answer.status)
    if answer.comment:
        status.ErrorComment = answer.comment
    return status


def _any_uid(_: UID) -> tuple[bool, str]:
    return True, ""


def _prepare_library() -> None:
    """Let pynetdicom pass on what it would log or abort for.

    Its messages and pydicom's quote values, which may name a patient. And it aborts the whole
    association for one UID that is too long, where the sender is due a status (0117).
    """
    for name in ("pynetdicom", "pydicom"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [logging.NullHandler()], False
    _config.VALIDATORS["UI"] = _any_uid
