"""A volume through a network in tiles: padded as it needs, overlapping, blended."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Network = Callable[[Array], Array]
"""(z, y, x) → (channels, z, y, x) of the same extent"""

_OVERLAP = 4  # a quarter of a tile is seen by its neighbour too


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
    if lengths == padded:
        return _cut(network(whole), volume.shape)
    total: Array | None = None
    weights = np.zeros(padded, np.float32)
    for box in _boxes(padded, lengths):
        output = network(np.ascontiguousarray(whole[box]))
        weight = _ramps(lengths)
        if total is None:
            total = np.zeros((output.shape[0], *padded), np.float32)
        total[(slice(None), *box)] += output * weight
        weights[box] += weight
    assert total is not None  # noqa: S101 - there is at least one tile
    return _cut(total / weights, volume.shape)


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


def _boxes(padded: list[int], lengths: list[int]) -> Iterator[tuple[slice, slice, slice]]:
    starts = [_starts(size, length) for size, length in zip(padded, lengths, strict=True)]
    for z, y, x in product(*starts):
        yield (
            slice(z, z + lengths[0]),
            slice(y, y + lengths[1]),
            slice(x, x + lengths[2]),
        )


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


def _cut(output: Array, shape: tuple[int, ...]) -> Array:
    z, y, x = shape
    return output[:, :z, :y, :x]
