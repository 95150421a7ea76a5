"""The toy pipeline's services as worker processes build them, one of each kind of poison too."""

import os
import time
from functools import partial

import numpy as np

from shared.bus.work import Ports, Produced, Work
from shared.settings import Settings
from shared.store.open import open_store
from shared.store.port import PayloadStore
from shared.testing import toy


def _poisoned(work: Work, *, store: PayloadStore) -> Produced:
    """Read, unless the manifest names a way to die."""
    poison = store.get(work.input("manifest"))
    if poison == b"crash":
        os.abort()
    if poison == b"hang":
        time.sleep(3600)
    if poison == b"memory":
        np.ones(1 << 30)
    return toy.read(work, store=store)


_HANDLERS = {"reader": _poisoned, "marker": toy.mark, "joiner": toy.join}


def build(name: str, settings: Settings) -> Ports:
    """The ports of a toy service."""
    store = open_store(settings.store)
    return Ports(partial(_HANDLERS[name], store=store), {"store": store.probe})
