"""A volume in, a mask of its lungs out."""

from services.lung_seg.coverage import warnings_of
from services.lung_seg.plausibility import FREE_AIR_HU, median_hu
from shared.bus.work import Produced, Work
from shared.errors import InputRejected, Reason
from shared.imaging import volume as volumes
from shared.imaging.mask_stage import keep, segmented
from shared.inference.port import Inference
from shared.store.port import PayloadStore
from shared.telemetry.tracing import span


def handle(work: Work, *, store: PayloadStore, inference: Inference) -> Produced:
    """Raises `InputRejected` where the stage refuses a volume without lungs.

    A model that never saw an image without a chest may take the room's air for lungs.
    """
    made = segmented(work, store, inference)
    refusal = work.parameters.get("empty")
    if refusal:
        with span("check"):
            found = median_hu(volumes.read(store.path(work.input("volume"))), made.mask)
        if found < FREE_AIR_HU:
            raise InputRejected(Reason(str(refusal), {"median_hu": found}))
    return keep(work, made, store, warnings_of(made.mask))
