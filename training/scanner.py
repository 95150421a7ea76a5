"""A phantom as yet another scanner and patient would show it: position, size, blur, noise."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from training.config import Size

Array = NDArray[np.float32]
_AIR = -1000.0


@dataclass(frozen=True)
class View:
    """Where a patch lies in a volume: an affine map from its voxels, both counted from the middle.

    `matrix` (3, 3) and `offset` (3,) give voxels of the volume, axes z, y, x.
    """

    size: Size
    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    def of(self, array: NDArray[np.generic], mode: str, outside: float = 0.0) -> Array:
        """The patch of `array`, (z, y, x) or (n, z, y, x); `mode` is "bilinear" or "nearest"."""
        volume = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32) - outside)
        several = volume.reshape(1, -1, *array.shape[-3:])
        grid = self._grid(array.shape[-3:])
        patch = functional.grid_sample(
            several, grid, mode=mode, padding_mode="zeros", align_corners=True
        )
        return np.asarray(
            patch.reshape(*array.shape[:-3], *self.size).numpy() + np.float32(outside)
        )

    def _grid(self, shape: tuple[int, ...]) -> Tensor:
        """Sampling places as `grid_sample` wants them: x first, -1 to 1 over the volume."""
        half = np.maximum((np.asarray(shape) - 1) / 2, 0.5)
        scale = (np.asarray(self.size) - 1) / 2
        theta = np.concatenate(
            [self.matrix * scale[None, :] / half[:, None], (self.offset / half)[:, None]], axis=1
        )
        theta = theta[::-1][:, [2, 1, 0, 3]]
        tensor = torch.from_numpy(np.ascontiguousarray(theta, dtype=np.float32))
        return functional.affine_grid(tensor[None], [1, 1, *self.size], align_corners=True)


def random_view(
    rng: np.random.Generator,
    size: Size,
    spacing: tuple[float, float, float],
    shape: tuple[int, ...],
    steps: tuple[float, float, float],
    middle: NDArray[np.float64] | None,
) -> View:
    """A patch of `size` voxels of `spacing` mm in a volume of `shape` with `steps` mm.

    Turned, larger or smaller, round `middle` (voxels of the volume), or anywhere.
    """
    growth = rng.uniform(0.85, 1.18) * rng.uniform(0.95, 1.05, 3)
    turn = _rotation(np.deg2rad(rng.normal(0.0, 1.0, 3) * (7.0, 4.0, 4.0)))
    matrix = turn * (np.asarray(spacing) * growth)[None, :] / np.asarray(steps)[:, None]
    half = (np.asarray(shape) - 1) / 2
    reach = np.abs(np.diag(matrix)) * np.asarray(size) / 2
    if middle is None:
        room = np.maximum(half - reach, 0) + 0.12 * reach
        return View(size, matrix, rng.uniform(-room, room))
    return View(size, matrix, middle - half + rng.uniform(-0.4, 0.4, 3) * reach)


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """About z, y and x in turn; axes z, y, x."""
    result = np.eye(3)
    for angle, (a, b) in zip(angles, ((1, 2), (0, 2), (0, 1)), strict=True):
        step = np.eye(3)
        step[[a, a, b, b], [a, b, a, b]] = (
            np.cos(angle),
            -np.sin(angle),
            np.sin(angle),
            np.cos(angle),
        )
        result = result @ step
    return result


def vary(hu: Array, rng: np.random.Generator) -> Array:
    """Another calibration, sharpness, slice thickness and noise."""
    if rng.random() < 0.3:
        hu = ndimage.gaussian_filter(hu, rng.uniform(0.2, 0.8))
    if rng.random() < 0.3:
        hu = ndimage.gaussian_filter1d(hu, rng.uniform(0.4, 1.3), axis=0)
    gain, offset = rng.normal(1.0, 0.03), rng.normal(0.0, 15.0)
    noise = rng.standard_normal(hu.shape, dtype=np.float32) * np.float32(rng.gamma(1.0, 15.0))
    # Gain acts on the attenuation, so air stays air.
    return np.asarray((hu + 1000) * gain - 1000 + offset + noise, dtype=np.float32)
