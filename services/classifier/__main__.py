"""Starts the classifier: settings, and the ports that each worker process gets."""

from functools import partial

from services.classifier.settings import ClassifierSettings
from shared.bus.work import Ports
from shared.run import serve
from shared.store.open import open_store


def build(settings: ClassifierSettings) -> Ports:
    """The handler with its ports, for one worker process."""
    # Imported where it runs, in the worker processes alone.
    from services.classifier.handler import handle
    from shared.inference.triton import connect

    store = open_store(settings.store)
    inference = connect(settings)
    handler = partial(handle, store=store, inference=inference)
    return Ports(handler, {"store": store.probe, "triton": inference.probe})


if __name__ == "__main__":
    serve("classifier", ClassifierSettings, build)
