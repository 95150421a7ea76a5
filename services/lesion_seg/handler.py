"""A volume in, a mask of its lesions out."""

from shared.bus.work import Produced, Work
from shared.imaging.mask_stage import keep, segmented
from shared.inference.port import Inference
from shared.store.port import PayloadStore


def handle(work: Work, *, store: PayloadStore, inference: Inference) -> Produced:
    """No lesion is a result like any other: an empty mask."""
    return keep(work, segmented(work, store, inference), store)
