"""Whether an image looks like what a model was trained on: the input gate.

A model's parameter `gate` holds what the features of its training images are like. An image is
unusual where a feature lies outside its range; where all together lie too far off, by the distance
of Mahalanobis (1936), in standard deviations; or where the image would lie nearer if it were
turned. A model without the parameter has no gate. What it can't tell: whether an image that looks
alike holds what the model knows.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.imaging.appearance import FEATURES, TURNS, VERSION, measured_turned

UNUSUAL = "unusual-for-the-model"
FARTHEST = 999.0
"""The distance of an image in which nothing can be measured, and the largest told of any."""

NOTHING = "nothing to measure"

Array = NDArray[np.float32]
Rows = NDArray[np.float64]
_COUNT = len(FEATURES)
_KEPT = ("limit", "margin", "mean", "scale", "precision", "low", "high")
Row = Annotated[tuple[float, ...], Field(min_length=_COUNT, max_length=_COUNT)]
Scales = Annotated[
    tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=_COUNT, max_length=_COUNT)
]


@dataclass(frozen=True)
class Judged:
    """How far off an image lies, and by which rules it is unusual: features, turns, or all."""

    distance: float
    reasons: tuple[str, ...]
    farthest: str
    """The feature that lies most standard deviations from the mean."""

    @property
    def unusual(self) -> bool:
        return bool(self.reasons)


class Gate(BaseModel):
    """The training images' features: mean, standard deviation, range, and the inverse of their
    correlation, shrunk a little towards that of independent ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: Annotated[float, Field(gt=0)] = Field(description="what lies farther is unusual")
    margin: Annotated[float, Field(ge=0)] = Field(description="how much nearer a turn may bring it")
    mean: Row
    scale: Scales
    precision: Annotated[tuple[Row, ...], Field(min_length=_COUNT, max_length=_COUNT)]
    low: Row
    high: Row

    def judge(self, hu: Array, spacing: tuple[float, float, float]) -> Judged:
        """An image (z, y, x) in HU on the model's grid, spacing (x, y, z) in mm."""
        return self.judge_rows(measured_turned(hu, spacing))

    def judge_rows(self, rows: Rows) -> Judged:
        """What `measured_turned` gave already."""
        row = rows[0]
        if not np.isfinite(row).all():
            return Judged(FARTHEST, (NOTHING,), NOTHING)
        distance, *turned = self.distances(rows)
        outside = (row < np.array(self.low)) | (row > np.array(self.high))
        reasons = [name for name, out in zip(FEATURES, outside, strict=True) if out]
        reasons += [
            name
            for name, nearer in zip(TURNS, turned, strict=True)
            if distance - nearer > self.margin
        ]
        if distance > self.limit:
            reasons.append("all together")
        off = np.abs((row - np.array(self.mean)) / np.array(self.scale))
        return Judged(distance, tuple(reasons), FEATURES[int(off.argmax())])

    def distances(self, rows: Rows) -> list[float]:
        """Of images by their features (images, features)."""
        away = (rows - np.array(self.mean)) / np.array(self.scale)
        squared = np.einsum("if,fg,ig->i", away, np.array(self.precision), away)
        # Rounding may leave a square below nothing; what is no number compares with nothing.
        squared = np.where(np.isfinite(squared), np.maximum(squared, 0), np.inf)
        return [min(FARTHEST, float(each)) for each in np.sqrt(squared)]


def fitted(rows: Rows, shrinkage: float, widening: float) -> Gate:
    """The gate of images by their features (images, features); it has no limit and no margin yet.

    The range of each feature is that of the images, wider by a share of itself at each end.
    Raises `ValueError` where a feature is no number, or the same for all images.
    """
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    unfit = [name for name, each in zip(FEATURES, scale, strict=True) if not each > 0]
    if unfit:
        raise ValueError(f"these say nothing of the images: {unfit}")
    correlation = np.corrcoef(rows, rowvar=False)
    shrunk = (1 - shrinkage) * correlation + shrinkage * np.eye(_COUNT)
    low, high = rows.min(axis=0), rows.max(axis=0)
    wider = widening * (high - low)
    return Gate(
        limit=FARTHEST,
        margin=FARTHEST,
        mean=tuple(mean),
        scale=tuple(scale),
        precision=tuple(map(tuple, np.linalg.inv(shrunk).tolist())),
        low=tuple(low - wider),
        high=tuple(high + wider),
    )


def written(gate: Gate) -> str:
    """As a model's parameter: JSON without a quotation mark, which Triton's text would need to
    escape: the features' version, and then what a gate holds, row by row.
    """
    kept = [_short(getattr(gate, name)) for name in _KEPT]
    return json.dumps([VERSION, *kept], separators=(",", ":"))


def read_gate(text: str) -> Gate:
    """What `written` wrote. Raises `ValueError`, for text that another version wrote too."""
    said = json.loads(text)
    if not isinstance(said, list) or not said:
        raise ValueError("a gate is a list")
    version, *kept = said
    if version != VERSION:
        raise ValueError(f"fitted to version {version} of the features, not {VERSION}")
    return Gate.model_validate(dict(zip(_KEPT, kept, strict=True)))


def _short(value: Any) -> Any:
    """Five digits: far more than 600 images can tell."""
    if isinstance(value, tuple):
        return [_short(each) for each in value]
    return float(f"{value:.5g}")


def _parsed(said: Any) -> Any:
    return read_gate(said) if isinstance(said, str) else said


GateParameter = Annotated[Gate, BeforeValidator(_parsed)]
"""A gate as a model's parameters hold it."""
