"""A shadow runs beside the stage that it may replace, under its own name."""

from dataclasses import replace

from shared import provenance
from shared.store.memory import MemoryStore
from shared.testing.work import work_for


def test_the_provenance_of_a_shadow_names_the_shadow() -> None:
    store = MemoryStore()
    mask = store.put(b"mask", "application/octet-stream")
    payloads = {"lung-seg.mask": mask, "lesion-seg.mask": mask}
    work = work_for("ratio", store, payloads)

    shadow = provenance.of(replace(work, stage="ratio~ratio_v2"))

    assert (shadow.stage, shadow.service) == ("ratio~ratio_v2", "ratio_v2")
    assert shadow.digest != provenance.of(work).digest
