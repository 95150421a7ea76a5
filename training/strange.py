"""What a phantom is not: images that the gate is to notice, made from phantoms or from nothing.

Each takes HU (z, y, x) at the model's grid, z to the head and y to the back, and gives HU there.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]
Strange = Callable[[Array, float, np.random.Generator], Array]
"""(HU, the grid's spacing in mm, chance) → HU"""

_AIR, _BRAIN, _SKULL = -1000.0, 35.0, 1100.0
_NOISE_HU = 120.0
_SLICE = 10


def front_to_back(hu: Array, _spacing: float, _rng: np.random.Generator) -> Array:
    """The patient upside down: the table above, the spine in front."""
    return hu[:, ::-1].copy()


def feet_to_head(hu: Array, _spacing: float, _rng: np.random.Generator) -> Array:
    """The slices in the wrong order."""
    return hu[::-1].copy()


def left_to_right(hu: Array, _spacing: float, _rng: np.random.Generator) -> Array:
    """Mirrored: the heart on the right."""
    return hu[:, :, ::-1].copy()


def on_its_side(hu: Array, _spacing: float, _rng: np.random.Generator) -> Array:
    """Turned by a quarter within each slice."""
    return np.rot90(hu, axes=(1, 2)).copy()


def nothing(hu: Array, _spacing: float, rng: np.random.Generator) -> Array:
    """Air alone, as noisy as a scanner shows it."""
    return (_AIR + 20 * rng.standard_normal(hu.shape)).astype(np.float32)


def water(hu: Array, spacing: float, rng: np.random.Generator) -> Array:
    """The phantom of a physicist: a cylinder of water of 20 cm."""
    image = np.where(_radius(hu, spacing, 1.0) < 100, 0.0, _AIR)
    return (image + 15 * rng.standard_normal(hu.shape)).astype(np.float32)


def head(hu: Array, spacing: float, rng: np.random.Generator) -> Array:
    """A skull with sinuses: bone around tissue, some gas in front."""
    radius = _radius(hu, spacing, 0.8)
    image = np.select([radius < 72, radius < 80, radius < 84], [_BRAIN, _SKULL, 0.0], _AIR)
    z, y, x = hu.shape
    sinus = np.s_[z // 4 : z // 3, y // 2 - 16 : y // 2 - 6, x // 2 - 5 : x // 2 + 5]
    image[sinus] = _AIR
    return (image + 10 * rng.standard_normal(hu.shape)).astype(np.float32)


def without_intercept(hu: Array, _spacing: float, _rng: np.random.Generator) -> Array:
    """The stored values taken for HU: 1024 too high."""
    return hu + 1024


def twice(hu: Array, _spacing: float, _rng: np.random.Generator) -> Array:
    """A rescale slope of 2 that should have been 1."""
    return 2 * hu


def noisy(hu: Array, _spacing: float, rng: np.random.Generator) -> Array:
    """A tenth of the usual dose, or less."""
    return hu + (_NOISE_HU * rng.standard_normal(hu.shape)).astype(np.float32)


def half_the_size(hu: Array, _spacing: float, _rng: np.random.Generator) -> Array:
    """A small child: everything half as long, air around it."""
    small = ndimage.zoom(hu, 0.5, order=1)
    image = np.full_like(hu, _AIR)
    starts = [(whole - part) // 2 for whole, part in zip(hu.shape, small.shape, strict=True)]
    box = tuple(slice(s, s + part) for s, part in zip(starts, small.shape, strict=True))
    image[box] = small
    return image[box[0]]


def thick_slices(hu: Array, _spacing: float, _rng: np.random.Generator) -> Array:
    """Slices ten times as thick, interpolated."""
    count = len(hu) // _SLICE
    means = hu[: count * _SLICE].reshape(count, _SLICE, *hu.shape[1:]).mean(axis=1)
    return np.asarray(ndimage.zoom(means, (len(hu) / count, 1, 1), order=1), dtype=np.float32)


def below(hu: Array, _spacing: float, _rng: np.random.Generator) -> Array:
    """The lowest fifth of the scan alone: an abdomen, with little lung or none."""
    return hu[: max(1, len(hu) // 5)].copy()


STRANGE: Mapping[str, Strange] = {
    made.__name__.replace("_", " "): made
    for made in (
        front_to_back, feet_to_head, left_to_right, on_its_side, nothing, water, head,
        without_intercept, twice, noisy, half_the_size, thick_slices, below,
    )
}  # fmt: skip


def _radius(hu: Array, spacing: float, narrow: float) -> NDArray[np.float64]:
    """The distance from the long axis in mm; `narrow` makes an oval, wider from front to back."""
    _, y, x = (spacing * (np.arange(size) - (size - 1) / 2) for size in hu.shape)
    flat = np.hypot(y[:, None] * narrow, x[None])
    return np.broadcast_to(flat, hu.shape)
