"""A mask's border put where the image has it: half-way between what is aired and what is not.

A network that works at several millimetres knows better what is lung than where it ends. Where
the intensity passes the middle between aired lung (about -850 HU) and soft tissue (about 50 HU),
half of a voxel is lung. Only the borders of aired voxels move: a consolidation at the pleura ends
where the network says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.imaging.resample import bounding_box

_AIRED_BELOW = 200.0
"""HU below the level: such a voxel holds air, and is no mixture at an edge."""
_BEYOND = 32767
"""HU of what is no voxel of the image: denser than all."""

Voxels = NDArray[np.intp]


def put_at(
    mask: NDArray[np.uint8],
    hu: NDArray[Any],
    spacing: tuple[float, float, float],
    level: float,
    reach_mm: float,
) -> NDArray[np.uint8]:
    """The mask (z, y, x) with the border of what is aired where `hu` passes `level` (HU).

    No border moves farther than `reach_mm`, rounded up to whole voxels along each axis: by one
    where a voxel is longer. `spacing` is (x, y, z) in mm.
    """
    rounds = ceil(reach_mm / min(spacing))
    box = bounding_box(mask > 0, (rounds, rounds, rounds))
    if box is None:
        return mask
    # A voxel more on each side, which is never aired: each voxel of the box has six neighbours.
    near = np.pad(mask[box], 1)
    framed = np.pad(hu[box], 1, constant_values=_BEYOND)
    image = _Image(near.reshape(-1), framed.reshape(-1), level)
    strides = (near.shape[1] * near.shape[2], near.shape[2], 1)
    _move(image, _border(image, strides), list(_rounds(strides, spacing[::-1], rounds, reach_mm)))
    moved = mask.copy()
    moved[box] = near[1:-1, 1:-1, 1:-1]
    return moved


@dataclass(frozen=True)
class _Image:
    """Mask and HU in one dimension; voxels are named by their place in it."""

    mask: NDArray[np.uint8]
    hu: NDArray[Any]
    level: float

    def aired(self, voxels: Voxels) -> NDArray[np.uint8]:
        """The label of each voxel that belongs to the mask and holds air, else 0."""
        return self.mask[voxels] * (self.hu[voxels] < self.level - _AIRED_BELOW)

    def aired_beside(self, voxels: Voxels, offsets: Sequence[int]) -> NDArray[np.uint8]:
        """The largest label of the aired neighbours of each voxel, 0 where it has none."""
        found = np.zeros(voxels.shape, np.uint8)
        for offset in offsets:
            np.maximum(found, self.aired(voxels + offset), out=found)
        return found

    def beside(self, voxels: Voxels, offsets: Sequence[int], *, inside: bool) -> Voxels:
        """The neighbours of the voxels that belong to the mask, or don't."""
        around = np.concatenate([voxels + offset for offset in offsets])
        found: Voxels = around[(self.mask[around] > 0) == inside]
        return found


def _border(image: _Image, strides: Sequence[int]) -> tuple[Voxels, Voxels]:
    """The voxels of the mask that have a neighbour outside, and those neighbours.

    Where the image ends the mask has no border.
    """
    inside = image.mask > 0
    inner, outer = [], []
    for stride in strides:
        first = np.flatnonzero(inside[:-stride] != inside[stride:])
        ends, is_first = (first, first + stride), inside[first]
        without = np.where(is_first, *reversed(ends))
        known = image.hu[without] != _BEYOND
        inner.append(np.where(is_first, *ends)[known])
        outer.append(without[known])
    return np.concatenate(inner), np.concatenate(outer)


def _rounds(
    strides: Sequence[int], spacing: Sequence[float], rounds: int, reach_mm: float
) -> Iterator[list[int]]:
    """Which neighbours count, a voxel farther each time: across thick slices soon none."""
    for done in range(rounds):
        near = [s for s, mm in zip(strides, spacing, strict=True) if done * mm < reach_mm]
        yield [*near, *(-stride for stride in near)]


def _move(image: _Image, border: tuple[Voxels, Voxels], rounds: Sequence[Sequence[int]]) -> None:
    inner, outer = border
    leave = _dense_up_to_air(image, inner, rounds)
    for offsets in rounds:
        light = outer[image.hu[outer] < image.level]
        labels = image.aired_beside(light, offsets)
        come = light[labels > 0]
        image.mask[come] = labels[labels > 0]
        outer = image.beside(come, offsets, inside=False)
    image.mask[leave] = 0


def _dense_up_to_air(image: _Image, inner: Voxels, rounds: Sequence[Sequence[int]]) -> Voxels:
    """What lies between the border and air that is no farther than the rounds reach: no lung.

    Layer by layer from outside, and back from those that touch air.
    """
    seen = np.zeros(image.mask.shape, bool)
    layers = []
    for offsets in rounds:
        layer = np.unique(inner[(image.hu[inner] > image.level) & ~seen[inner]])
        seen[layer] = True
        layers.append(layer)
        inner = image.beside(layer, offsets, inside=True)
    leaves = np.zeros(image.mask.shape, bool)
    for layer, offsets in reversed(list(zip(layers, rounds, strict=True))):
        touches = image.aired_beside(layer, offsets) > 0
        for offset in offsets:
            touches |= leaves[layer + offset]
        leaves[layer[touches]] = True
    return np.concatenate([layer[leaves[layer]] for layer in layers])
