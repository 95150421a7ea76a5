"""How a CT looks at a model's own grid, in numbers that people can read.

They are taken from what the model is shown, before it is asked, and know tissues by HU alone: gas
(below -400 HU), tissue (above -300) and what is dense (above 200). How the gas, the dense and the
core lie (`lie.py`) is measured as the image is, and as it would be if it were turned.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from shared.imaging.lie import LIE, Tissues, between, lie

Array = NDArray[np.float32]
Rows = NDArray[np.float64]
Steps = tuple[float, float, float]

VERSION = 2
"""Of the list below: what was fitted to other features fits no longer."""

LOOK = (
    "noise, HU",
    "noise along z",
    "tissue, HU",
    "gas, HU",
    "lowest gas, HU",
    "share of gas",
    "share of dense",
    "size, mm",
    "width against depth",
    "height of gas, mm",
)
"""Noise along z is told against that along rows; it, shares and width are logarithms."""

FEATURES = (*LOOK, *LIE)

TURNS: Mapping[str, Callable[[Array], Array]] = {
    "front to back": lambda blocks: blocks[:, ::-1],
    "feet to head": lambda blocks: blocks[::-1],
    "left to right": lambda blocks: blocks[:, :, ::-1],
    "on its left side": lambda blocks: np.rot90(blocks, 1, axes=(1, 2)),
    "on its right side": lambda blocks: np.rot90(blocks, -1, axes=(1, 2)),
}
"""How an image may lie wrongly; each is what puts it right, or into its own mirror image."""

_BLOCK_MM = 8.0
_GAS_HU, _TISSUE_HU, _DENSE_HU = -400.0, -300.0, 200.0
_SOFT_HU, _SOFT_RANGE_HU = 25.0, 175.0
# Lower than anything is, so that HU scaled twofold still show; padding may be lower yet.
_LOWEST_HU, _HIGHEST_HU = -2048.0, 3071.0
_LEAST = 20
"""Blocks of tissue, and of gas, without which there is nothing to measure."""


def measured(hu: Array, spacing: Steps) -> Rows:
    """The features of HU (z, y, x) on a grid of `spacing` (x, y, z, mm), axes as the model's.

    All are not a number where the image holds too little tissue or gas to measure any.
    """
    blocks, steps, noise = _seen(hu, spacing)
    return _row(blocks, steps, noise)


def measured_turned(hu: Array, spacing: Steps) -> Rows:
    """The features (1 + turns, features) of the image as it is, and then turned each way."""
    blocks, steps, noise = _seen(hu, spacing)
    turned = (turn(blocks) for turn in TURNS.values())
    return np.array([_row(each, steps, noise) for each in (blocks, *turned)])


def _seen(hu: Array, spacing: Steps) -> tuple[Array, Rows, tuple[float, float]]:
    """Blocks, their size, and the noise within them, which no turn changes."""
    blocks, steps = _blocks(hu, spacing)
    return blocks, steps, _noise(hu, blocks, np.rint(steps / spacing[::-1]).astype(int))


def _row(blocks: Array, steps: Rows, noise: tuple[float, float]) -> Rows:
    body = between(blocks > _TISSUE_HU, 1) & between(blocks > _TISSUE_HU, 2)
    gas, tissue = body & (blocks < _GAS_HU), body & (blocks > _TISSUE_HU)
    if min(np.count_nonzero(gas), np.count_nonzero(tissue)) < _LEAST:
        return np.full(len(FEATURES), np.nan)
    dense = tissue & (blocks > _DENSE_HU)
    tissues = Tissues(gas, tissue, dense)
    across, along_z = noise
    return np.array(
        [
            across,
            np.log((along_z + 1) / (across + 1)),
            np.median(blocks[tissue]),
            np.median(blocks[gas]),
            np.quantile(blocks[gas], 0.03),
            np.log(_share(gas, body)),
            np.log(_share(dense, body) + 1e-3),
            *_sizes(body, steps),
            tissues.height * steps[0],
            *lie(tissues),
        ]
    )


def _blocks(hu: Array, spacing: Steps) -> tuple[Array, Rows]:
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


def _noise(hu: Array, blocks: Array, factors: NDArray[np.int_]) -> tuple[float, float]:
    """The noise (HU) along rows and along z: second differences in the middle of soft blocks.

    Blocks are chosen by their mean, so that noise can't hide by leaving the range of soft tissue.
    """
    if min(hu.shape) < 3:
        return 0.0, 0.0
    soft = np.argwhere(np.abs(blocks - _SOFT_HU) < _SOFT_RANGE_HU)
    if not len(soft):
        return 0.0, 0.0
    middles = soft * factors + factors // 2
    z, y, x = np.clip(middles, 1, np.array(hu.shape) - 2).T
    middle, scale = 2 * hu[z, y, x], 1.4826 / np.sqrt(6)
    across = np.median(np.abs(middle - hu[z, y, x - 1] - hu[z, y, x + 1]))
    along_z = np.median(np.abs(middle - hu[z - 1, y, x] - hu[z + 1, y, x]))
    return float(across * scale), float(along_z * scale)


def _sizes(body: NDArray[np.bool_], steps: Rows) -> tuple[float, float]:
    """The square root of the body's median area (mm), and how much wider than deep it is."""
    slices = body[body.any(axis=(1, 2))]
    area = np.median(np.count_nonzero(slices, axis=(1, 2))) * steps[1] * steps[2]
    width = np.median(np.count_nonzero(slices.any(axis=1), axis=1)) * steps[2]
    depth = np.median(np.count_nonzero(slices.any(axis=2), axis=1)) * steps[1]
    return float(np.sqrt(area)), float(np.log(width / depth))


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(part) / np.count_nonzero(whole))
