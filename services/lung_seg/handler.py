"""A volume in, a mask of its lungs out."""

from services.lung_seg.coverage import warnings_of
from shared.bus.work import Produced, Work
from shared.imaging.mask_stage import keep, segmented
from shared.inference.port import Inference
from shared.store.port import PayloadStore


def handle(work: Work, *, store: PayloadStore, inference: Inference) -> Produced:
    """Raises `InputRejected` where the stage refuses a volume without lungs."""
    made = segmented(work, store, inference)
    return keep(work, made, store, warnings_of(made.mask))
