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


def accuracy(called: Truth, truth: Truth) -> float:
    """The share of cases that were called what they are."""
    return float((called == truth).mean())


def sensitivity(called: Truth, truth: Truth) -> float:
    """The share of positive cases that were called so; nan without any."""
    return float(called[truth].mean()) if truth.any() else float("nan")


def specificity(called: Truth, truth: Truth) -> float:
    """The share of negative cases that were not called positive; nan without any."""
    return float((~called[~truth]).mean()) if (~truth).any() else float("nan")


def brier(scores: Values, truth: Truth) -> float:
    """Mean squared difference of probability and truth; 0 is best, 0.25 is a coin's."""
    return float(((scores - truth) ** 2).mean())


def calibration_error(scores: Values, truth: Truth, bins: int = 10) -> float:
    """Expected calibration error: |probability − share of positives| in equal bins, by size."""
    of = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [abs(float(np.sum(scores[of == b] - truth[of == b]))) for b in range(bins)]
    return sum(gaps) / len(scores)


OF_PROBABILITIES: dict[str, Callable[[Values, Truth], float]] = {
    "area under the ROC curve": roc_area,
    "calibration error": calibration_error,
    "Brier score": brier,
}
OF_CALLS: dict[str, Callable[[Truth, Truth], float]] = {
    "accuracy": accuracy,
    "sensitivity": sensitivity,
    "specificity": specificity,
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


def calibration_interval(scores: Values, truth: Truth, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of the calibration error, which chance can only make larger.

    Resampling enlarges it once more, so the percentiles lie above the truth: they are turned over
    at the value (the basic bootstrap: Davison and Hinkley 1997, 5.2), which stays within. What a
    calibrated model would show too, with as many cases, reaches down to 0.
    """
    value = calibration_error(scores, truth)
    low, high = interval(
        len(scores), lambda chosen: calibration_error(scores[chosen], truth[chosen]), seed
    )
    rng = np.random.default_rng(seed)
    calibrated = [calibration_error(scores, rng.random(len(scores)) < scores) for _ in range(DRAWS)]
    by_chance = value <= np.percentile(calibrated, 97.5)
    lowest = 0.0 if by_chance else max(0.0, min(value, 2 * value - high))
    return lowest, max(value, 2 * value - low)
