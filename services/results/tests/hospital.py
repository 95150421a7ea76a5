"""A hospital for tests: a finished job whose objects wait, and the courier that carries them."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pynetdicom.events import Event as Association

from services.results.conclude import Concluder
from services.results.definitions import Definitions
from services.results.delivery import Backoff, Courier
from services.results.intake import Intake
from services.results.ledger import deliveries, outbox
from services.results.ledger.database import Ledger
from services.results.ledger.deliveries import Delivery, Due
from services.results.scu import ask_commitment, send
from services.results.settings import Destination
from services.results.tests.facts import RECEIVED, Story, job
from services.results.tests.pacs import PDF, SEG, Pacs, data_set_of, part10
from shared.clock import ManualClock
from shared.events.models import DicomDelivered, DicomReady, Lane, PayloadRef
from shared.store.folder import FolderStore
from shared.store.port import PayloadStore

DUE = Due("pacs", job())


class RealObjects(Story):
    """Its DICOM objects can be sent."""

    def _payload(self, stage: str, port: str) -> PayloadRef:
        if port != "dicom":
            return super()._payload(stage, port)
        content = part10(SEG if stage.endswith("dicom-seg") else PDF, self.sop_uid(stage))
        return self.store.put(content, "application/dicom")


@dataclass
class InterruptedPacs(Pacs):
    """Something happens while it takes an object."""

    meanwhile: Callable[[], object] = lambda: None

    def _stored(self, event: Association) -> int:
        self.meanwhile()
        return super()._stored(event)


class Hospital:
    """A finished job whose four objects wait, and the courier that carries them."""

    def __init__(self, path: Path, destinations: Mapping[str, Destination]) -> None:
        self.store: PayloadStore = FolderStore(path / "payloads")
        self.clock = ManualClock(RECEIVED)
        self.ledger = Ledger(f"sqlite:///{path}/ledger.db")
        self.ledger.migrate()
        self.intake = Intake(self.ledger, Concluder(Definitions(self.store), self.clock))
        self.facts = RealObjects(self.store).whole()
        self.intake.take(self.facts)
        self.courier = Courier(
            ledger=self.ledger,
            store=self.store,
            destinations=destinations,
            clock=self.clock,
            backoff=Backoff(1, 300),
            name="me",
            send=send,
            ask_commitment=ask_commitment,
        )

    def objects(self) -> dict[str, bytes]:
        """SOP Instance UID → data set, as the store holds it."""
        found = {}
        for received in self.facts:
            data = received.event.data
            if isinstance(data, DicomReady):
                content = self.store.get(data.payloads[f"{data.stage}.dicom"])
                found[data.sop_instance_uid] = data_set_of(content)
        return found

    def uid(self, output: str) -> str:
        return next(sent.sop_instance_uid for sent in self.sent() if sent.output == output)

    def sent(self) -> list[Delivery]:
        with self.ledger.reading() as connection:
            return deliveries.of_job(connection, job())

    def statuses(self) -> dict[str, tuple[str, str | None]]:
        return {sent.output: (sent.status, sent.last_error) for sent in self.sent()}

    def announced(self) -> list[tuple[str, str, int]]:
        with self.ledger.reading() as connection:
            events = [letter.event.data for letter in outbox.unsent(connection)]
        found = [event for event in events if isinstance(event, DicomDelivered)]
        return [(event.output, event.status, event.attempts) for event in found]


ALL_DELIVERED = dict.fromkeys(
    ("lung-seg", "lesion-seg", "classification-report", "ratio-report"), ("delivered", None)
)


def elsewhere(hospital: Hospital, destination: str) -> deliveries.Planned:
    """One of its objects for another destination."""
    sent = hospital.sent()[0]
    names = ("job_id", "run", "stage", "output", "kind", "sop_class_uid", "sop_instance_uid")
    fields = {name: getattr(sent, name) for name in (*names, "payload")}
    return deliveries.Planned(**fields, destination=destination, lane=Lane.ROUTINE)


def free_port() -> int:
    """One on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
