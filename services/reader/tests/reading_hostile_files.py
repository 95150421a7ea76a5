"""Reads hostile files under limits of memory and time; prints what became of each as JSON.

A process of its own, because the limits hold for all of it: `ARCHIVE EVERY FOLDER`.
"""

import json
import resource
import sys
from pathlib import Path

from services.reader.handler import handle
from shared.errors import InputRejected
from shared.store.folder import FolderStore
from shared.testing.archives import unpacked
from shared.testing.manifests import manifest_of
from shared.testing.work import work_for


def main(archive: Path, every: int, folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    store = FolderStore(folder / "payloads")
    paths = unpacked(archive, ".dcm", every, folder)
    outcomes = {path.name: _outcome(path, store) for path in paths}
    sys.stdout.write(json.dumps(outcomes))


def _outcome(path: Path, store: FolderStore) -> str:
    _, manifest = manifest_of([path], store)
    try:
        handle(work_for("reader", store, {"ingest.manifest": manifest}), store=store)
    except InputRejected as refused:
        return refused.reasons[0].code
    return "read"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
