"""Whether what a model calls lungs can be lungs."""

import numpy as np

from shared.imaging.volume import Volume

FREE_AIR_HU = -980.0
"""Even an emphysematous lung holds blood and tissue: half of it lies below -950 HU at worst, while
air around a water phantom lies at -1000 HU within the scanner's calibration."""


def median_hu(volume: Volume, mask: Volume) -> float:
    """Of all that is marked, in HU; the mask (z, y, x) has a voxel at least."""
    return float(np.median(volume.array[np.not_equal(mask.array, 0)]))
