"""What is known of a mask's shape, applied to the probabilities that it will be cut from."""

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


def keep_whole_parts(
    probabilities: Array, labels: NDArray[np.uint8], largest: bool, fill: bool
) -> Array:
    """Probabilities (labels, z, y, x) changed so that cutting them gives whole parts.

    `labels` (z, y, x) numbers from 1 the label that wins each voxel, 0 where none does. With
    `largest`, whatever is not connected to a label's largest part becomes nothing; with `fill`,
    what a part encloses in 3D becomes that part (slice by slice would fill a diaphragm's dome).
    """
    changed = probabilities.copy()
    for index in range(len(probabilities)):
        own = labels == index + 1
        if not own.any():
            continue
        part = _largest(own) if largest else own
        whole = _filled(part) if fill else part
        if largest:
            # One voxel more, where the part's edge fades out, keeps the edge smooth.
            changed[index][~_wider(whole) | (own & ~part)] = 0
        holes = whole & ~part
        changed[:, holes] = 0
        changed[index][holes] = 1
    return changed


def keep_largest_parts(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A mask (z, y, x) without what of a label is not connected, by corners too, to its most."""
    kept = mask.copy()
    for label in np.unique(mask[mask > 0]):
        own = mask == label
        kept[own & ~_largest(own, by_corners=True)] = 0
    return kept


def _largest(mask: Mask, by_corners: bool = False) -> Mask:
    parts = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)), by_corners)
    ranked = sitk.GetArrayFromImage(sitk.RelabelComponent(parts, sortByObjectSize=True))
    return np.asarray(ranked == 1)


def _filled(mask: Mask) -> Mask:
    filled = sitk.BinaryFillhole(sitk.GetImageFromArray(mask.astype(np.uint8)))
    return np.asarray(sitk.GetArrayFromImage(filled) > 0)


def _wider(mask: Mask) -> Mask:
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    return np.asarray(sitk.GetArrayFromImage(sitk.BinaryDilate(image, (1, 1, 1), sitk.sitkBox)) > 0)
