"""A PACS for tests: a pynetdicom SCP on a free port, and objects to send to it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    EncapsulatedPDFStorage,
    SegmentationStorage,
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
)

from services.results.settings import Destination

SEG, PDF = str(SegmentationStorage), str(EncapsulatedPDFStorage)


@dataclass
class Pacs:
    """What arrived, in order, and how to answer."""

    port: int = 0
    status: int = 0x0000
    statuses: dict[str, int] = field(default_factory=dict)
    arrived: list[tuple[str, bytes]] = field(default_factory=list)
    associations: int = 0
    silent_once: bool = False
    """Whether it aborts the association instead of its first answer."""
    commits: int = 0x0000
    asked: list[tuple[str, list[str]]] = field(default_factory=list)
    known_as: str | None = None
    """The PatientID under which it knows every study; None: it answers no C-FIND."""

    @property
    def destination(self) -> Destination:
        return Destination(ae_title="PACS", host="127.0.0.1", port=self.port, timeout_s=5)

    def _accepted(self, _: Event) -> None:
        self.associations += 1

    def _stored(self, event: Event) -> int:
        assert isinstance(event.request, C_STORE)
        uid = str(event.request.AffectedSOPInstanceUID)
        if self.silent_once:
            self.silent_once = False
            event.assoc.abort()
            return 0x0000
        self.arrived.append((uid, event.encoded_dataset(include_meta=False)))
        return self.statuses.get(uid, self.status)

    def _found(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        answer = Dataset()
        answer.QueryRetrieveLevel = "STUDY"
        answer.StudyInstanceUID = event.identifier.StudyInstanceUID
        answer.PatientID, answer.AccessionNumber = self.known_as, ""
        yield 0xFF00, answer

    def _committed(self, event: Event) -> tuple[int, Dataset | None]:
        request = event.action_information
        uids = [str(item.ReferencedSOPInstanceUID) for item in request.ReferencedSOPSequence]
        self.asked.append((str(request.TransactionUID), uids))
        return self.commits, None


@contextmanager
def listening(
    pacs: Pacs,
    sop_classes: Sequence[str] = (SEG, PDF),
    require_called: bool = False,
    confirms: bool = True,
) -> Iterator[Pacs]:
    """The PACS answers here, on its port or else on a free one."""
    ae = AE(ae_title="PACS" if not require_called else "OTHER")
    ae.require_called_aet = require_called
    for sop_class in sop_classes:
        ae.add_supported_context(sop_class, ExplicitVRLittleEndian)
    if confirms:
        ae.add_supported_context(StorageCommitmentPushModel)
    if pacs.known_as is not None:
        ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    server = ae.start_server(
        ("127.0.0.1", pacs.port),
        block=False,
        evt_handlers=[
            (evt.EVT_ACCEPTED, pacs._accepted),
            (evt.EVT_C_STORE, pacs._stored),
            (evt.EVT_C_FIND, pacs._found),
            (evt.EVT_N_ACTION, pacs._committed),
        ],
    )
    assert server is not None
    assert server.socket is not None
    pacs.port = server.socket.getsockname()[1]
    try:
        yield pacs
    finally:
        server.shutdown()


def part10(sop_class: str, sop_instance_uid: str) -> bytes:
    """A small object, with the peculiarities that decoding and encoding would lose."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, sop_instance_uid
    dataset.PatientName = "Odd^Spaces  "
    dataset.PatientID, dataset.StudyInstanceUID = "P1", "2.25.1"
    dataset.add_new(0x00091001, "UN", b"private\x00")
    dataset.ReferencedStudySequence = [Dataset()]
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def data_set_of(content: bytes) -> bytes:
    """The bytes after the preamble and the file meta information."""
    buffer = BytesIO(content)
    buffer.seek(132)
    meta = pydicom.filereader._read_file_meta_info(buffer)
    assert meta.TransferSyntaxUID
    return content[buffer.tell() :]
