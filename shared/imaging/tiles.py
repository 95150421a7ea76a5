"""A volume through a network in tiles: padded as it needs, overlapping, blended.

Two ways to cut: `tiled` in as few tiles as are allowed, for networks that take any size, and
`slid` as MONAI's sliding window does, for networks that were trained and judged in that way.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Network = Callable[[Array], Array]
"""(z, y, x) → (channels, z, y, x) of the same extent"""

_OVERLAP = 4  # a quarter of a tile is seen by its neighbour too
_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True)
class Window:
    """A window (z, y, x) that slides over a volume; `overlap` is the share of it seen twice.

    `sigma` is the Gaussian's standard deviation as a share of the window.
    """

    size: tuple[int, int, int]
    overlap: tuple[float, float, float]
    blend: Literal["constant", "gaussian"]
    sigma: float


def slid(network: Network, volume: Array, pad: float, window: Window) -> Array:
    """The network's output for a whole volume, window by window, averaged where they overlap.

    Where each window lies and what it weighs is as in MONAI's `sliding_window_inference`: steps
    of `int((1 - overlap) * size)`, the last window shifted to end with the volume; a volume
    smaller than the window is padded with `pad` on both sides.
    """
    lacking = [max(0, size - n) for size, n in zip(window.size, volume.shape, strict=True)]
    widths = [(each // 2, each - each // 2) for each in lacking]
    whole = np.pad(volume, widths, constant_values=pad)
    starts = [
        _steps(n, size, overlap)
        for n, size, overlap in zip(whole.shape, window.size, window.overlap, strict=True)
    ]
    output = _blended(network, whole, starts, window.size, _importance(window))
    first = [before for before, _ in widths]
    z, y, x = (slice(a, a + n) for a, n in zip(first, volume.shape, strict=True))
    return output[:, z, y, x]


def _steps(size: int, length: int, overlap: float) -> list[int]:
    step = max(1, int(length * (1 - overlap)))
    count = 1 + max(0, -(-(size - length) // step))
    return [min(index * step, size - length) for index in range(count)]


def _importance(window: Window) -> Array:
    if window.blend == "constant":
        return np.ones(window.size, np.float32)
    z, y, x = (_bell(length, window.sigma) for length in window.size)
    weight = z[:, None, None] * y[:, None] * x
    return np.asarray(np.maximum(weight, max(float(weight.min()), _LEAST_WEIGHT)), np.float32)


def _bell(length: int, sigma: float) -> Array:
    distance = np.arange(length) - (length - 1) / 2
    weights = np.exp(-(distance**2) / (2 * (sigma * length) ** 2))
    return np.asarray(weights, dtype=np.float32)


def tiled(
    network: Network, volume: Array, pad: float, multiple: int, largest: tuple[int, ...] | None
) -> Array:
    """The network's output for a whole volume; tiles are as few as `largest` (z, y, x) allows.

    The volume is padded at its ends with `pad` to a `multiple`, and the output cut again.
    """
    limits = largest or (None, None, None)
    sizes = list(zip(volume.shape, limits, strict=True))
    lengths = [_tile(size, multiple, limit) for size, limit in sizes]
    padded = [-(-size // multiple) * multiple for size in volume.shape]
    widths = [(0, after - size) for size, after in zip(volume.shape, padded, strict=True)]
    whole = np.pad(volume, widths, constant_values=pad)
    starts = [_starts(size, length) for size, length in zip(padded, lengths, strict=True)]
    z, y, x = volume.shape
    return _blended(network, whole, starts, tuple(lengths), _ramps(lengths))[:, :z, :y, :x]


def _blended(
    network: Network,
    whole: Array,
    starts: Iterable[list[int]],
    lengths: tuple[int, ...],
    weight: Array,
) -> Array:
    """The weighted mean of the outputs of all tiles that begin at `starts` (of z, y and x)."""
    if whole.shape == tuple(lengths):
        return network(whole)
    total: Array | None = None
    weights = np.zeros(whole.shape, np.float32)
    for start in product(*starts):
        box = tuple(slice(a, a + length) for a, length in zip(start, lengths, strict=True))
        output = network(np.ascontiguousarray(whole[box]))
        if total is None:
            total = np.zeros((output.shape[0], *whole.shape), np.float32)
        total[(slice(None), *box)] += output * weight
        weights[box] += weight
    assert total is not None  # noqa: S101 - there is at least one tile
    total /= weights
    return total


def _tile(size: int, multiple: int, limit: int | None) -> int:
    """The length of the tiles along an axis: equal ones, overlapping, none above the limit."""
    whole = -(-size // multiple) * multiple
    if limit is None or whole <= limit:
        return whole
    longest = limit // multiple * multiple
    if not longest:
        raise ValueError(f"tiles of {limit} voxels hold no multiple of {multiple}")
    step = longest - longest // _OVERLAP
    count = 1 + -(-(size - longest) // step)
    shortest = -(-size // (count - (count - 1) / _OVERLAP))
    return min(longest, -(-int(shortest) // multiple) * multiple)


def _starts(size: int, length: int) -> list[int]:
    if size == length:
        return [0]
    step = length - length // _OVERLAP
    count = 1 + -(-(size - length) // step)
    return [round(index * (size - length) / (count - 1)) for index in range(count)]


def _ramps(lengths: list[int]) -> Array:
    """Weights that fall linearly towards every face of a tile, where a network sees least."""
    z, y, x = (_ramp(length) for length in lengths)
    return z[:, None, None] * y[:, None] * x


def _ramp(length: int) -> Array:
    distance = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1))
    return np.minimum(distance / max(1, length // _OVERLAP), 1).astype(np.float32)
