"""How much of the lungs is lesion: counted voxel by voxel, and added up by region."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared.findings import Lung, Measurement, Region, Third
from shared.imaging.resample import same_grid
from shared.imaging.volume import Volume

THIRDS: tuple[Third, Third, Third] = ("upper", "middle", "lower")
_NOTHING = np.zeros((len(THIRDS), 2), np.int64)

Counts = NDArray[np.int64]
"""(…, 2): voxels that are not lesion, and voxels that are."""


def measure(lungs: Volume, lesions: Volume, names: Mapping[int, str]) -> Measurement:
    """The lesion-to-lung ratio; `names` says which lung each label of the mask is.

    Both masks are (z, y, x) on one axial grid; any label of `lesions` is lesion, and counts
    inside the lungs only. Raises `ValueError` for masks on two grids, or for a label without
    a name: defects of the stages before.
    """
    if not same_grid(lungs, lesions):
        raise ValueError("the two masks do not lie on one grid")
    counts = _count(lungs.array, lesions.array)
    unnamed = set(np.flatnonzero(counts.any(axis=(0, 2))).tolist()) - {0, *names}
    if unnamed:
        raise ValueError(f"the lungs' mask holds labels without a name: {sorted(unnamed)}")
    if lungs.direction[8] > 0:  # z runs towards the head (LPS), and thirds are told from there
        counts = counts[::-1]
    thirds = {name: _thirds(counts[:, label]) for label, name in sorted(names.items())}
    return Measurement(
        whole=_region(sum(thirds.values(), _NOTHING).sum(axis=0), lungs.voxel_ml),
        thirds=_regions(sum(thirds.values(), _NOTHING), lungs.voxel_ml),
        lungs={
            name: Lung(
                whole=_region(parts.sum(axis=0), lungs.voxel_ml),
                thirds=_regions(parts, lungs.voxel_ml),
            )
            for name, parts in thirds.items()
        },
        lesion_outside_ml=int(counts[:, 0, 1].sum()) * lungs.voxel_ml,
    )


def _count(lungs: NDArray[np.generic], lesions: NDArray[np.generic]) -> Counts:
    """(z, 256, 2): the voxels of each slice by label of the lungs and by being lesion."""
    return np.array(
        [
            np.bincount((lung.astype(np.uint16) * 2 + (lesion > 0)).ravel(), minlength=512).reshape(
                256, 2
            )
            for lung, lesion in zip(lungs, lesions, strict=True)
        ]
    )


def _thirds(slices: Counts) -> Counts:
    """(3, 2): one lung's slices, head first, added up by thirds of the lung's own extent.

    A slice belongs to the third in which its centre lies.
    """
    found = np.flatnonzero(slices.any(axis=1))
    if not found.size:
        return _NOTHING
    extent = slices[found[0] : found[-1] + 1]
    third = (np.arange(len(extent)) + 0.5) * len(THIRDS) // len(extent)
    return np.array([extent[third == number].sum(axis=0) for number in range(len(THIRDS))])


def _regions(thirds: Counts, voxel_ml: float) -> Mapping[Third, Region]:
    return {name: _region(counts, voxel_ml) for name, counts in zip(THIRDS, thirds, strict=True)}


def _region(counts: Counts, voxel_ml: float) -> Region:
    healthy, lesion = (int(n) for n in counts)
    lung = healthy + lesion
    return Region(
        lung_ml=lung * voxel_ml,
        lesion_ml=lesion * voxel_ml,
        ratio_percent=100 * lesion / lung if lung else None,
    )
