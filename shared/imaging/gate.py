"""Whether an image looks like what a model was trained on: the input gate.

A model's parameter `gate` holds what the features of its training images are like; the distance of
a new image is that of Mahalanobis (1936), in standard deviations. A model without the parameter
has no gate. What it can't tell: whether an image that looks alike holds what the model knows.
"""

import json
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.imaging.appearance import FEATURES, VERSION, measured

UNUSUAL = "unusual-for-the-model"
FARTHEST = 999.0
"""The distance of an image in which nothing can be measured, and the largest told of any."""

Array = NDArray[np.float32]
_COUNT = len(FEATURES)
Row = Annotated[tuple[float, ...], Field(min_length=_COUNT, max_length=_COUNT)]
Scales = Annotated[
    tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=_COUNT, max_length=_COUNT)
]


class Gate(BaseModel):
    """The training images' features: mean, standard deviation, and the inverse of their
    correlation, shrunk a little towards that of independent ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: Annotated[float, Field(gt=0)] = Field(description="what lies farther is unusual")
    mean: Row
    scale: Scales
    precision: Annotated[tuple[Row, ...], Field(min_length=_COUNT, max_length=_COUNT)]

    def distance(self, hu: Array, spacing: tuple[float, float, float]) -> float:
        """Of an image (z, y, x) in HU on the model's grid, spacing (x, y, z) in mm."""
        return self.distance_of(measured(hu, spacing))

    def distance_of(self, features: NDArray[np.float64]) -> float:
        """Of features that were measured already."""
        away = (features - np.array(self.mean)) / np.array(self.scale)
        squared = float(away @ np.array(self.precision) @ away)
        # Rounding may leave a square below nothing; what is no number compares with nothing.
        return min(FARTHEST, max(0.0, squared) ** 0.5) if np.isfinite(squared) else FARTHEST


def fitted(rows: NDArray[np.float64], shrinkage: float, limit: float = FARTHEST) -> Gate:
    """The gate of images by their features (images, features).

    Raises `ValueError` where a feature is no number, or the same for all images.
    """
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    unfit = [name for name, each in zip(FEATURES, scale, strict=True) if not each > 0]
    if unfit:
        raise ValueError(f"these say nothing of the images: {unfit}")
    correlation = np.corrcoef(rows, rowvar=False)
    shrunk = (1 - shrinkage) * correlation + shrinkage * np.eye(_COUNT)
    precision = tuple(map(tuple, np.linalg.inv(shrunk).tolist()))
    return Gate(limit=limit, mean=tuple(mean), scale=tuple(scale), precision=precision)


def written(gate: Gate) -> str:
    """As a model's parameter: JSON without a quotation mark, which Triton's text would need to
    escape: the features' version, the limit, and then row by row.
    """
    rows = (gate.mean, gate.scale, gate.precision)
    return json.dumps([VERSION, _short(gate.limit), *map(_short, rows)], separators=(",", ":"))


def read_gate(text: str) -> Gate:
    """What `written` wrote. Raises `ValueError`, for text that another version wrote too."""
    said = json.loads(text)
    if not isinstance(said, list) or len(said) != 5:
        raise ValueError("a gate is a list of five")
    version, limit, mean, scale, precision = said
    if version != VERSION:
        raise ValueError(f"fitted to version {version} of the features, not {VERSION}")
    return Gate(limit=limit, mean=mean, scale=scale, precision=precision)


def _short(value: Any) -> Any:
    """Five digits: far more than 600 images can tell."""
    if isinstance(value, tuple):
        return [_short(each) for each in value]
    return float(f"{value:.5g}")


def _parsed(said: Any) -> Any:
    return read_gate(said) if isinstance(said, str) else said


GateParameter = Annotated[Gate, BeforeValidator(_parsed)]
"""A gate as a model's parameters hold it."""
