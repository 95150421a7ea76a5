"""`python -m tests.e2e.quoting`: the reader, which fails at a study that says so, and quotes it.

As a library's exception does: the message holds what the study says of the patient.
"""

from functools import partial

from services.reader.handler import handle
from services.reader.settings import ReaderSettings
from shared import manifest
from shared.bus.work import Ports, Produced, Work
from shared.run import serve
from shared.store.open import open_store
from shared.store.port import PayloadStore

BROKEN = "quoted"
"""The Study Description (0008,1030) of a study that the reader fails at."""


def quoting(work: Work, *, store: PayloadStore) -> Produced:
    """What the reader makes of a study; raises ValueError for one that is to be quoted."""
    [first, *_] = manifest.read(work.input("manifest"), store).instances
    if str(first.header.get("StudyDescription")) == BROKEN:
        raise ValueError(f"can't read {first.header} of {first}")
    return handle(work, store=store)


def build(settings: ReaderSettings) -> Ports:
    """The handler with its ports, for one worker process."""
    store = open_store(settings.store)
    return Ports(partial(quoting, store=store), {"store": store.probe})


if __name__ == "__main__":
    serve("reader", ReaderSettings, build)
