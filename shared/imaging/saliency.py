"""What a payload of the type `saliency` is: how much each place moved a model towards its class.

A MetaImage of float32, none below 0, on a grid of its own: over the box that the model was shown,
as coarse as the model tells it, which keeps it small and exact. What lies outside was not seen. A
model that can't tell has a map of one voxel, 0, so that the port always holds something.
"""

from dataclasses import replace

import numpy as np

from shared.imaging.resample import Grid, at_size, grid_of, image_on, sampled
from shared.imaging.volume import Volume


def on_box(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], box: Grid) -> Volume:
    """The map (z, y, x) of a model that was shown `box`: its voxels divide the box evenly."""
    z, y, x = values.shape
    grid = at_size(box, (x, y, z))
    return Volume(values, grid.spacing, grid.origin, grid.direction)


def none_on(box: Grid) -> Volume:
    """The map of a model that does not tell one."""
    return on_box(np.zeros((1, 1, 1), np.float32), box)


def told(saliency: Volume) -> bool:
    """Whether the model told a map at all; it may still be 0 everywhere."""
    return saliency.array.size > 1


def on_grid(saliency: Volume, grid: Grid) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The map (z, y, x) on another grid, linear, falling to 0 within a voxel of its border."""
    own = grid_of(saliency)
    outer = replace(
        own,
        size=(own.size[0] + 2, own.size[1] + 2, own.size[2] + 2),
        origin=own.point(np.full(3, -1.0)),
    )
    return sampled(image_on(np.pad(saliency.array, 1), outer), grid)
