"""`python -m tests.e2e.versioned`: the writers, in the code version that a file of the home names.

Each replica looks for its own file when it starts, so that old code and new run side by side.
"""

import os
from functools import partial
from pathlib import Path

from shared import version
from shared.bus.work import Ports
from shared.store.open import open_store


def version_file(home: Path, instance: str) -> Path:
    """Where the code version of a replica stands, if it is another than the shipped one."""
    return home / f"writers-{instance}.version"


_home = Path(os.environ.get("CLARION_HOME", "."))
_told = version_file(_home, os.environ.get("CLARION_INSTANCE", "1"))
if _told.is_file():
    version.CODE_VERSION = _told.read_text()

# What makes provenance takes the version when it is imported.
from services.writers.handler import handle  # noqa: E402
from services.writers.settings import WritersSettings  # noqa: E402
from shared.run import serve  # noqa: E402


def build(settings: WritersSettings) -> Ports:
    """The handler with its ports, for one worker process."""
    store = open_store(settings.store)
    return Ports(partial(handle, store=store), {"store": store.probe})


if __name__ == "__main__":
    serve("writers", WritersSettings, build)
