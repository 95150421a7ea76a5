"""Starts the reader: settings, and the ports that each worker process gets."""

from functools import partial

from services.reader.settings import ReaderSettings
from shared.bus.work import Ports
from shared.run import serve
from shared.store.open import open_store


def build(settings: ReaderSettings) -> Ports:
    """The handler with its ports, for one worker process."""
    # Imported where it runs, in the worker processes alone.
    from services.reader.handler import handle

    store = open_store(settings.store)
    return Ports(partial(handle, store=store), {"store": store.probe})


if __name__ == "__main__":
    serve("reader", ReaderSettings, build)
