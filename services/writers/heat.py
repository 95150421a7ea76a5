"""A classifier's saliency as heat over the slices of a report.

The colours run from dark to bright, so that a page printed in grey tells the same.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.imaging import saliency
from shared.imaging.resample import at_size, cropped, grid_of
from shared.imaging.volume import Volume

COLOURS = ("#8c1a10", "#f0701e", "#ffe27a")
"""From faint to strongest."""

LINE_COLOUR = "#fff3c4"
"""Of the line round what is at least half as strong as the strongest."""

HALF = 0.5
_FAINT = 0.1
"""Below this share of the full colour nothing is painted."""

_FULL_AT_LEAST = 0.5
"""A map with little in it stays faint; a stronger one uses all of the colours.

Ours is as strong as the probability that it explains, so what is improbable is not in full colour.
"""

_OPACITY = 0.62
_ACROSS = 48

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Heat:
    """A map that a model told, in shares of its probability; `full` has the full colour."""

    told: Volume
    full: float

    @property
    def least(self) -> float:
        """What a place has to reach to be painted."""
        return _FAINT * self.full

    @property
    def cold(self) -> bool:
        """Whether nothing is strong enough to be painted."""
        return bool(self.told.array.max() < self.least)

    def plane(self, ct: Volume, z: int) -> Plane:
        """The heat (y, x) of a slice of the CT, 0 to 1."""
        _, y, x = ct.array.shape
        grid = cropped(grid_of(ct), (slice(z, z + 1), slice(0, y), slice(0, x)))
        return np.asarray(np.clip(saliency.on_grid(self.told, grid)[0] / self.full, 0, 1))

    def amounts(self, ct: Volume) -> NDArray[np.float64]:
        """How much heat each slice of the CT holds, on a coarser grid of the same slices."""
        if self.cold:
            return np.zeros(len(ct.array))
        grid = at_size(grid_of(ct), (_ACROSS, _ACROSS, len(ct.array)))
        amounts: NDArray[np.float64] = saliency.on_grid(self.told, grid).sum(
            axis=(1, 2), dtype=np.float64
        )
        return amounts


def heat_of(told: Volume) -> Heat | None:
    """None where the model told no map."""
    if not saliency.told(told):
        return None
    return Heat(told, max(float(told.array.max()), _FULL_AT_LEAST))


def painted(grey: NDArray[np.uint8], heat: Plane) -> NDArray[np.uint8]:
    """The picture (y, x) in colours (y, x, 3) under the heat (y, x) of each pixel."""
    stops = np.linspace(0, 1, len(COLOURS))
    shades = np.array([_rgb(colour) for colour in COLOURS], np.float32)
    paint = np.stack([np.interp(heat, stops, shade) for shade in shades.T], axis=-1)
    opacity = _OPACITY * np.clip((heat - _FAINT) / (HALF - _FAINT), 0, 1)[..., None]
    mixed = grey[..., None] * (1 - opacity) + paint * opacity
    return np.asarray(mixed.round(), np.uint8)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
