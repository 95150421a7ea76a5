"""How good a classifier's probabilities are, and how sure that is."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Truth = NDArray[np.bool_]

DRAWS = 1000
"""Resamples behind each interval."""


def roc_area(scores: Values, truth: Truth) -> float:
    """How often a positive case scores above a negative one (Mann, Whitney); nan without both."""
    positive, negative = scores[truth], scores[~truth]
    if not positive.size or not negative.size:
        return float("nan")
    above = positive[:, None] > negative[None, :]
    equal = positive[:, None] == negative[None, :]
    return float((above + equal / 2).mean())


def accuracy(scores: Values, truth: Truth) -> float:
    """At 0.5."""
    return float(((scores >= 0.5) == truth).mean())


def sensitivity(scores: Values, truth: Truth) -> float:
    """At 0.5; nan without positive cases."""
    return float((scores[truth] >= 0.5).mean()) if truth.any() else float("nan")


def specificity(scores: Values, truth: Truth) -> float:
    """At 0.5; nan without negative cases."""
    return float((scores[~truth] < 0.5).mean()) if (~truth).any() else float("nan")


def brier(scores: Values, truth: Truth) -> float:
    """Mean squared difference of probability and truth; 0 is best, 0.25 is a coin's."""
    return float(((scores - truth) ** 2).mean())


def calibration_error(scores: Values, truth: Truth, bins: int = 10) -> float:
    """Expected calibration error: |probability − share of positives| in equal bins, by size."""
    of = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [abs(float(np.sum(scores[of == b] - truth[of == b]))) for b in range(bins)]
    return sum(gaps) / len(scores)


CLASSIFICATION: dict[str, Callable[[Values, Truth], float]] = {
    "area under the ROC curve": roc_area,
    "accuracy": accuracy,
    "sensitivity": sensitivity,
    "specificity": specificity,
    "calibration error": calibration_error,
    "Brier score": brier,
}


def interval(
    count: int, statistic: Callable[[NDArray[np.intp]], float], seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a statistic over cases, by the bootstrap (percentiles, seeded).

    `statistic` is given indices of `count` cases, drawn with replacement; what it can't tell
    (nan) is left out.
    """
    rng = np.random.default_rng(seed)
    drawn = np.array([statistic(rng.integers(0, count, count)) for _ in range(DRAWS)])
    drawn = drawn[~np.isnan(drawn)]
    if not drawn.size:
        return float("nan"), float("nan")
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)
