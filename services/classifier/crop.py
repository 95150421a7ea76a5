"""What the classifier looks at: the lungs, at the model's size and orientation."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.classifier.expected import ClassificationParameters
from shared.imaging.resample import (
    Grid,
    at_size,
    bounding_box,
    cropped,
    grid_of,
    oriented,
    resampled,
    same_grid,
)
from shared.imaging.segment import clipped
from shared.imaging.volume import Volume


@dataclass(frozen=True)
class Crop:
    """HU (z, y, x) and where they lie in the patient."""

    hu: NDArray[np.float32]
    grid: Grid


def lung_crop(
    volume: Volume, lungs: Volume, parameters: ClassificationParameters
) -> NDArray[np.float32]:
    """HU (z, y, x) of `crop_of`."""
    return crop_of(volume, lungs, parameters).hu


def crop_of(volume: Volume, lungs: Volume, parameters: ClassificationParameters) -> Crop:
    """The box around the lungs at the model's `size`; stretched, as its proportions may be others.

    Raises `ValueError` for a mask on another grid than the volume's, or an empty one: both are
    defects of the stages before.
    """
    if not same_grid(volume, lungs):
        raise ValueError("the lungs' mask does not lie on the volume's grid")
    dx, dy, dz = volume.spacing
    z, y, x = (round(parameters.margin_mm / step) for step in (dz, dy, dx))
    inside = np.not_equal(lungs.array, 0)
    box = bounding_box(inside, (z, y, x))
    if box is None:
        raise ValueError("no voxel is lung")
    hu = volume.array[box]
    if parameters.mask_outside:
        # HU are whole numbers, what a model takes for outside need not be.
        hu = np.where(inside[box], hu.astype(np.float32), np.float32(parameters.pad_value))
    origin = cropped(grid_of(volume), box).origin
    crop = oriented(replace(volume, array=hu, origin=origin), parameters.orientation)
    deep, high, wide = parameters.size
    grid = at_size(grid_of(crop), (wide, high, deep))
    return Crop(resampled(clipped(crop, parameters), grid, parameters.sampling), grid)
