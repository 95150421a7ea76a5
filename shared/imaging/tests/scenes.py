"""Two balls of air in water, on any grid, and a model that knows air and its side."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared.imaging.volume import IDENTITY, Matrix, Vector, Volume
from shared.inference.fake import FakeModel
from shared.inference.port import Tensor

RADIUS_MM = 14.0
CENTRES = {1: (20.0, 3.0, -5.0), 2: (-20.0, -4.0, 6.0)}
"""label → centre in LPS: 1 lies to the left, where x is positive."""

PARAMETERS = {
    "algorithm_name": "Air",
    "sha256": "a" * 64,
    "spacing_mm": "2 2 2",
    "orientation": "LPS",
    "intensity_window": "-1000 0",
    "intensity_range": "0 1",
    "pad_value": "0",
    "pad_multiple": "8",
    "output": "probabilities",
    "activation": "softmax",
    "labels": "0 background,1 left lung,2 right lung",
    "threshold": "0.5",
    "postprocess": "",
}


def turned(degrees: float) -> Matrix:
    """A direction with x and y turned about z."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0)


def flipped(x: int, y: int, z: int) -> Matrix:
    """A direction with axes that run the other way where -1."""
    return (float(x), 0.0, 0.0, 0.0, float(y), 0.0, 0.0, 0.0, float(z))


def centred(shape: tuple[int, int, int], spacing: Vector, direction: Matrix = IDENTITY) -> Volume:
    """An empty volume (z, y, x) whose middle is the origin of space."""
    middle = (np.array(shape[::-1]) - 1) / 2 * np.array(spacing)
    x, y, z = (-np.array(direction).reshape(3, 3) @ middle).tolist()
    return Volume(np.zeros(shape, np.int16), spacing, (x, y, z), direction)


def truth(grid: Volume) -> NDArray[np.uint8]:
    """Which ball the centre of each voxel lies in."""
    labels = np.zeros(grid.array.shape, np.uint8)
    for label, distance in _distances(grid).items():
        labels[distance < RADIUS_MM] = label
    return labels


def balls(grid: Volume) -> Volume:
    """HU of the balls: air inside, water outside, 2 mm of both at the edge."""
    nearest = np.minimum(*_distances(grid).values())
    air = np.clip((RADIUS_MM - nearest) / 2 + 0.5, 0, 1)
    return grid.like((-1000 * air).astype(np.int16))


def model(**changes: str) -> FakeModel:
    """Air is foreground; with LPS axes the left half of the image is label 1."""
    return FakeModel(_air, PARAMETERS | changes)


def one_label(name: str, **changes: str) -> FakeModel:
    """Air is the one label, given by one channel."""
    said = {"activation": "sigmoid", "labels": f"0 background,1 {name}"}
    return FakeModel(dense, PARAMETERS | said | changes)


def dense(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """How much of each voxel is air."""
    return {"probabilities": 1 - inputs["volume"].astype(np.float32)}


def _air(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    air = 1 - inputs["volume"].astype(np.float32)
    left = np.arange(air.shape[-1]) > air.shape[-1] // 2
    return {"probabilities": np.concatenate([1 - air, air * left, air * ~left], axis=1)}


def _distances(grid: Volume) -> dict[int, NDArray[np.float64]]:
    z, y, x = (np.arange(size) for size in grid.array.shape)
    steps = np.array(grid.direction).reshape(3, 3) * np.array(grid.spacing)
    places = (
        np.array(grid.origin)[:, None, None, None]
        + steps[:, 2, None, None, None] * z[:, None, None]
        + steps[:, 1, None, None, None] * y[:, None]
        + steps[:, 0, None, None, None] * x
    )
    return {
        label: np.linalg.norm(places - np.array(centre)[:, None, None, None], axis=0)
        for label, centre in CENTRES.items()
    }
