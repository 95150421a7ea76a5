"""What a model tells of the places that moved it, as a map that lies on the CT."""

import numpy as np

from shared.imaging import saliency
from shared.imaging.model_parameters import BadModel
from shared.imaging.resample import Grid
from shared.imaging.volume import Volume
from shared.inference.port import Tensor


def map_of(output: Tensor | None, box: Grid) -> Volume:
    """The map of a model that was shown `box`; `output` is (1, z, y, x), None where it tells none.

    Raises `BadModel` for an output of another shape, below 0, or not a number.
    """
    if output is None:
        return saliency.none_on(box)
    values = np.asarray(output, dtype=np.float32)
    if values.ndim != 4 or values.shape[0] != 1:
        raise BadModel(f"a saliency of the shape {values.shape} instead of (1, z, y, x)")
    if not np.isfinite(values).all() or values.min() < 0:
        raise BadModel("a saliency that is below 0 or not a number")
    return saliency.on_box(values[0], box)
