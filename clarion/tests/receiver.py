"""A storage SCP for tests: what came, in order, and what it answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Barrier

from pydicom import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

_WAIT_S = 10.0


@dataclass
class Came:
    """One association: SOP Instance UIDs in order, each as often as it came, and how it ended."""

    instances: list[str] = field(default_factory=list)
    end: str = "open"


@dataclass
class Receiver:
    """Accepts CT in two transfer syntaxes, and perhaps C-ECHO, under the AE title PACS."""

    port: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    """By SOP Instance UID; else Success."""
    comment: str = ""
    """The Error Comment of every failure."""
    silent_once: set[str] = field(default_factory=set)
    """SOP Instance UIDs: instead of its first answer, the association is aborted."""
    ends_at: str | None = None
    """A SOP Instance UID: when it comes, this association is aborted, and each later one."""
    datasets: dict[str, bytes] = field(default_factory=dict)
    priorities: set[int] = field(default_factory=set)
    associations: dict[Association, Came] = field(default_factory=dict)
    meeting: Barrier | None = None
    """No first instance is answered before as many associations as meet there have brought one."""
    echo: int | None = None
    """The status that it answers C-ECHO with; None: it takes none."""

    @property
    def address(self) -> str:
        return f"PACS@127.0.0.1:{self.port}"

    def came(self) -> list[Came]:
        """What each association brought, in the order of their begins, when all have ended."""
        for association in self.associations:
            association.join(_WAIT_S)
        return [*self.associations.values()]

    def _accepted(self, event: Event) -> None:
        self.associations[event.assoc] = Came()

    def _released(self, event: Event) -> None:
        self.associations[event.assoc].end = "released"

    def _aborted(self, event: Event) -> None:
        self.associations[event.assoc].end = "aborted"

    def _echoed(self, _: Event) -> int:
        return self.echo or 0x0000

    def _stored(self, event: Event) -> Dataset:
        """The status, with the comment where it is a failure's."""
        answer = Dataset()
        answer.Status = self._status(event)
        if self.comment and answer.Status:
            answer.ErrorComment = self.comment
        return answer

    def _status(self, event: Event) -> int:
        assert isinstance(event.request, C_STORE)
        uid = str(event.request.AffectedSOPInstanceUID)
        came = self.associations[event.assoc]
        came.instances.append(uid)
        if self.meeting and len(came.instances) == 1:
            self.meeting.wait(_WAIT_S)
        if uid in self.silent_once:
            self.silent_once.remove(uid)
            event.assoc.abort()
        if uid == self.ends_at:
            event.assoc.abort()
            return 0x0000
        self.datasets[uid] = event.encoded_dataset(include_meta=False)
        self.priorities.add(int(event.request.Priority))
        return self.statuses.get(uid, 0x0000)


@contextmanager
def listening(receiver: Receiver) -> Iterator[Receiver]:
    """The receiver answers here, on a free port."""
    entity = AE(ae_title="PACS")
    entity.require_called_aet = True
    entity.add_supported_context(CTImageStorage, [ExplicitVRLittleEndian, JPEG2000Lossless])
    if receiver.echo is not None:
        entity.add_supported_context(Verification)
    handlers: list[evt.EventHandlerType] = [
        (evt.EVT_ACCEPTED, receiver._accepted),
        (evt.EVT_RELEASED, receiver._released),
        (evt.EVT_ABORTED, receiver._aborted),
        (evt.EVT_C_STORE, receiver._stored),
        (evt.EVT_C_ECHO, receiver._echoed),
    ]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    receiver.port = server.server_address[1]
    try:
        yield receiver
    finally:
        server.shutdown()
