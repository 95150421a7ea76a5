"""A mask that figures can be reckoned for by hand."""

import numpy as np


def block(start: int = 8) -> np.ndarray:
    """512 of 24 x 24 x 24 voxels, from slice `start` on."""
    mask = np.zeros((24, 24, 24), np.uint8)
    mask[start : start + 8, 8:16, 8:16] = 1
    return mask
