"""A PACS whose rule is to forward whatever it gets, also to where it came from."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Queue
from threading import Thread

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event

from tests.e2e import sending


@dataclass
class Echo:
    """Forwards each object once it has one, over an association of its own."""

    port: int = 0
    forward_to: tuple[int, str] = (0, "")
    forwarded: dict[str, int] = field(default_factory=dict)
    """What came back to the sender: SOPInstanceUID → its answer."""
    _queue: "Queue[Dataset | None]" = field(default_factory=Queue)

    def take(self, event: Event) -> int:
        """C-STORE: Success, and on it goes."""
        dataset: Dataset = event.dataset
        dataset.file_meta = event.file_meta
        self._queue.put(dataset)
        return 0

    def forward(self) -> None:
        """Until there is nothing more to come."""
        while dataset := self._queue.get():
            [status] = sending.statuses(*self.forward_to, [dataset])
            self.forwarded[str(dataset.SOPInstanceUID)] = status

    def end(self) -> None:
        """Nothing more will come."""
        self._queue.put(None)


@contextmanager
def echoing() -> Iterator[Echo]:
    """Listens on a port of its own for the length of the block; AE title PACS."""
    echo = Echo()
    entity = AE(ae_title="PACS")
    entity.supported_contexts = AllStoragePresentationContexts
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, echo.take)]
    )
    assert server is not None
    echo.port = server.server_address[1]
    thread = Thread(target=echo.forward)
    thread.start()
    try:
        yield echo
    finally:
        server.shutdown()
        echo.end()
        thread.join()
