"""How a CT looks at a model's own grid, in a dozen numbers that people can read.

They are taken from what the model is shown, before it is asked, and know tissues by HU alone: gas
(below -400 HU), tissue (above -300), what is dense (above 250), and the core: tissue with gas on
both sides of it along a row.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
Steps = tuple[float, float, float]

VERSION = 1
"""Of the list below: what was fitted to other features fits no longer."""

FEATURES = (
    "noise",
    "noise along z",
    "tissue, HU",
    "gas, HU",
    "share of gas",
    "share of dense",
    "size, mm",
    "extent, mm",
    "dense along y",
    "core along x",
    "core along z",
    "taper of gas along z",
)
"""In the order of what `measured` gives; noise and shares are logarithms."""

_BLOCK_MM = 8.0
_GAS_HU, _TISSUE_HU, _DENSE_HU = -400.0, -300.0, 250.0
_SOFT_HU, _SOFT_RANGE_HU = 25.0, 175.0
_LOWEST_HU, _HIGHEST_HU = -1024.0, 3071.0
_LEAST = 20
"""Blocks of tissue, and of gas, without which there is nothing to measure."""


def measured(hu: Array, spacing: Steps) -> NDArray[np.float64]:
    """The features of HU (z, y, x) on a grid of `spacing` (x, y, z, mm), axes as the model's.

    All are not a number where the image holds too little tissue or gas to measure any.
    """
    blocks, steps = _blocks(hu, spacing)
    body = _between(blocks > _TISSUE_HU, 1) & _between(blocks > _TISSUE_HU, 2)
    gas, tissue = body & (blocks < _GAS_HU), body & (blocks > _TISSUE_HU)
    if min(np.count_nonzero(gas), np.count_nonzero(tissue)) < _LEAST:
        return np.full(len(FEATURES), np.nan)
    dense = tissue & (blocks > _DENSE_HU)
    size, extent = _size(body, steps)
    of_dense = (_place(dense) - _place(body)) * steps / size
    of_core = (_place(_between(gas, 2) & tissue) - _place(gas)) * steps / (extent, size, size)
    noise, along_z = _noise(hu)
    return np.array(
        [
            np.log(noise + 1),
            np.log((along_z + 1) / (noise + 1)),
            np.median(blocks[tissue]),
            np.median(blocks[gas]),
            np.log(_share(gas, body)),
            np.log(_share(dense, body) + 1e-3),
            size,
            extent,
            of_dense[1],
            of_core[2],
            of_core[0],
            _taper(gas),
        ]
    )


def _blocks(hu: Array, spacing: Steps) -> tuple[Array, NDArray[np.float64]]:
    """Means of blocks of about 8 mm, which drown noise and a table's shell, and their size."""
    steps = np.array(spacing[::-1])
    fz, fy, fx = (
        min(max(1, round(_BLOCK_MM / step)), size)
        for step, size in zip(steps, hu.shape, strict=True)
    )
    z, y, x = hu.shape[0] // fz, hu.shape[1] // fy, hu.shape[2] // fx
    whole = np.clip(hu[: z * fz, : y * fy, : x * fx], _LOWEST_HU, _HIGHEST_HU)
    means = whole.reshape(z, fz, y, fy, x, fx).mean(axis=(1, 3, 5), dtype=np.float32)
    return means, steps * (fz, fy, fx)


def _between(mask: Mask, axis: int) -> Mask:
    """Where the mask lies on both sides along an axis, itself included."""
    before = np.logical_or.accumulate(mask, axis=axis)
    behind = np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis=axis), axis)
    return np.asarray(before & behind)


def _size(body: Mask, steps: NDArray[np.float64]) -> tuple[float, float]:
    """The square root of the body's median area, and how far it runs along z, in mm."""
    areas = np.count_nonzero(body, axis=(1, 2))
    found = areas[areas > 0]
    return float(np.sqrt(np.median(found) * steps[1] * steps[2])), float(len(found) * steps[0])


def _noise(hu: Array) -> tuple[float, float]:
    """The noise of soft tissue (HU) along rows and along z: second differences, robustly."""
    inner = hu[1:-1, 1:-1, 1:-1]
    rows = (hu[1:-1, 1:-1, :-2], inner, hu[1:-1, 1:-1, 2:])
    soft = np.logical_and.reduce([np.abs(part - _SOFT_HU) < _SOFT_RANGE_HU for part in rows])
    if not soft.any():
        return 0.0, 0.0
    middle = 2 * inner[soft]
    across = middle - rows[0][soft] - rows[2][soft]
    along_z = middle - hu[:-2, 1:-1, 1:-1][soft] - hu[2:, 1:-1, 1:-1][soft]
    scale = 1.4826 / np.sqrt(6)
    return float(np.median(np.abs(across)) * scale), float(np.median(np.abs(along_z)) * scale)


def _share(part: Mask, whole: Mask) -> float:
    return float(np.count_nonzero(part) / np.count_nonzero(whole))


def _place(mask: Mask) -> NDArray[np.float64]:
    """The centre (z, y, x) of a mask, in blocks; of its grid where it is empty."""
    if not mask.any():
        return (np.array(mask.shape) - 1) / 2
    return np.array([places.mean() for places in np.nonzero(mask)])


def _taper(gas: Mask) -> float:
    """Where along z most of the gas lies within its own extent: from -1 to 1."""
    areas = np.trim_zeros(np.count_nonzero(gas, axis=(1, 2)))
    heights = np.linspace(-1, 1, len(areas)) if len(areas) > 1 else np.zeros(1)
    return float((areas * heights).sum() / areas.sum())
