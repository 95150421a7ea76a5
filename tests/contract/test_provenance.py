"""What is kept of where a result comes from is read by versions that know more, or less."""

import json
from dataclasses import asdict

from shared import provenance
from shared.provenance import ModelIdentity, Provenance
from shared.store.memory import MemoryStore

TOLD = Provenance(
    "lung-seg", "lung_seg", "0", {"volume": "a" * 64}, {"model": "lung_seg"},
    ModelIdentity.told("lung_seg", "2", {"sha256": "f" * 64, "threshold": "0.4"}),
)  # fmt: skip


def test_what_an_older_or_a_newer_version_kept_is_read() -> None:
    store, older, newer = MemoryStore(), asdict(TOLD), asdict(TOLD)
    del older["model"]["parameters"]
    newer["model"]["maker"] = "somebody"

    read = [
        provenance.read(store.put(json.dumps(each).encode(), provenance.MEDIA_TYPE), store)
        for each in (asdict(TOLD), older, newer, asdict(TOLD) | {"model": None})
    ]

    known = asdict(TOLD) | {"model": asdict(ModelIdentity("lung_seg", "2", "f" * 64, "lung_seg"))}
    assert [asdict(each) for each in read] == [
        asdict(TOLD),
        known,
        asdict(TOLD),
        asdict(TOLD) | {"model": None},
    ]
