"""How the parts of a chest lie: where gas, bone and what is between the lungs are, as moments.

Places are told within the box of the gas, from -1 to 1 along each axis: z to the head, y to the
back, x to the patient's left. So they tell of position, not of size.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Values = NDArray[np.floating[Any]]

LIE = (
    "dense along x",
    "dense along y",
    "dense along z",
    "core along x",
    "core along z",
    "core along x and y",
    "core along x and z",
    "core along y and z",
    "heart along x",
    "heart along y",
    "gas along x",
    "gas along y",
    "gas along z",
    "gas along x and z",
    "gas along y and z",
    "gas along x at both ends",
    "gas beside the middle along z",
    "gas of the bases along x",
    "gas before the heart along x",
)
"""In the order of what `lie` gives. The core is tissue with gas on both sides of it."""

_MARGIN = 0.03
"""The share of the gas that lies outside its box at each end of an axis."""


@dataclass(frozen=True)
class Tissues:
    """What of an image's body is gas, tissue, and dense tissue, each (z, y, x)."""

    gas: Mask
    tissue: Mask
    dense: Mask

    @cached_property
    def box(self) -> list[tuple[float, float]]:
        """From where to where the gas lies along z, y and x, in voxels."""
        return [_reach(self.gas, axis) for axis in range(3)]

    @property
    def height(self) -> float:
        """Of the gas along z, in voxels."""
        low, high = self.box[0]
        return high - low

    def places(self, of: Mask) -> "Places":
        """Where the voxels of a mask are, within the box of the gas."""
        z, y, x = (
            2 * (each - low) / max(high - low, 1) - 1
            for each, (low, high) in zip(np.nonzero(of), self.box, strict=True)
        )
        return Places(z, y, x)


@dataclass(frozen=True)
class Places:
    """Of some voxels, one by one: -1 to 1 from end to end of the gas's box, more beyond."""

    z: Values
    y: Values
    x: Values

    def where(self, these: Mask) -> "Places":
        return Places(self.z[these], self.y[these], self.x[these])


def lie(tissues: Tissues) -> tuple[float, ...]:
    """The moments that `LIE` names. Those of a part that is missing are 0."""
    gas, dense = tissues.places(tissues.gas), tissues.places(tissues.dense)
    core = tissues.places(between(tissues.gas, 2) & tissues.tissue)
    dense = dense.where(np.abs(dense.z) < 1)
    within = core.where(np.abs(core.z) < 1)
    lower = within.where(within.z < 0)
    heart = core.where((core.z > -0.7) & (core.z < 0.2))
    aside = np.abs(gas.x)
    return (
        _mean(dense.x),
        _mean(dense.y),
        _mean(dense.z),
        _mean(core.x),
        _mean(within.z),
        _mean(lower.x * lower.y),
        _mean(within.x * within.z),
        _mean(within.y * within.z),
        _mean(heart.where(heart.y < 0.2).x),
        _mean(heart.y),
        _mean(gas.x),
        _mean(gas.y),
        _mean(gas.z),
        _mean(gas.x * gas.z),
        _mean(gas.y * gas.z),
        _mean(gas.x * gas.z * gas.z),
        _mean(aside * gas.z) - _mean(aside) * _mean(gas.z),
        _mean(gas.where(gas.z < -0.6).x),
        _mean(gas.where((gas.z < 0) & (gas.y < 0)).x),
    )


def between(mask: Mask, axis: int) -> Mask:
    """Where the mask lies on both sides along an axis, itself included."""
    before = np.logical_or.accumulate(mask, axis=axis)
    behind = np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis=axis), axis)
    return np.asarray(before & behind)


def _reach(mask: Mask, axis: int) -> tuple[float, float]:
    others = tuple(other for other in range(3) if other != axis)
    shares = np.count_nonzero(mask, axis=others).cumsum() / np.count_nonzero(mask)
    low, high = np.interp((_MARGIN, 1 - _MARGIN), shares, np.arange(len(shares)))
    return float(low), float(high)


def _mean(values: Values) -> float:
    return float(values.mean()) if len(values) else 0.0
