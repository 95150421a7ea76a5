"""Figures of many cases as one: median with its interval, mean, worst, number of cases."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.evaluation.cases import Task
from training.evaluation.measure import Measured
from training.evaluation.probabilities import CLASSIFICATION, interval

HIGH_IS_GOOD = ("dice", "surface dice", "sensitivity", "precision")
Figures = dict[str, Any]


def summary(measured: Sequence[Measured], task: Task) -> dict[str, Figures]:
    """By figure. A figure that only some cases have tells how many in `n`."""
    if task == "class":
        return _classification(measured)
    names = dict.fromkeys(name for each in measured for name in each.figures)
    return {
        name: _spread(name, [each.figures[name] for each in measured if name in each.figures])
        for name in names
    }


def by_badness(measured: Sequence[Measured], task: Task) -> list[Measured]:
    """The worst first: lowest Dice, then the largest false volume; the farthest probability."""

    def goodness(each: Measured) -> float:
        figures = each.figures
        if task == "class":
            return -abs(figures["probability"] - figures["covid"])
        return figures.get("dice", 1 - figures.get("false % of the lungs", 0) / 100)

    return sorted(measured, key=goodness)


def _spread(name: str, values: list[float]) -> Figures:
    array = np.array(values)
    lowest, farthest = array.min(), array[np.argmax(np.abs(array))]
    return {
        "n": len(values),
        "median": _rounded(np.median(array)),
        "median_interval": _interval(len(array), lambda chosen: float(np.median(array[chosen]))),
        "mean": _rounded(array.mean()),
        "worst": _rounded(lowest if name.startswith(HIGH_IS_GOOD) else farthest),
    }


def _classification(measured: Sequence[Measured]) -> dict[str, Figures]:
    scores = np.array([each.figures["probability"] for each in measured])
    truth = np.array([bool(each.figures["covid"]) for each in measured])
    told: dict[str, Figures] = {
        name: {
            "n": len(scores),
            "value": _rounded(statistic(scores, truth)),
            "interval": _interval(len(scores), lambda c, s=statistic: s(scores[c], truth[c])),
        }
        for name, statistic in CLASSIFICATION.items()
    }
    kinds = np.array([each.case.kind or "a case" for each in measured])
    for kind in sorted(set(kinds.tolist())):
        called = int((scores[kinds == kind] >= 0.5).sum())
        told[f"called COVID-19: {kind}"] = {"n": int((kinds == kind).sum()), "value": called}
    return told


def _interval(count: int, statistic: Any) -> list[float | None]:
    return [_rounded(end) for end in interval(count, statistic)]


def _rounded(value: Any) -> float | None:
    """Four decimals; what can't be told (nan) is None, as JSON has no nan."""
    number = float(value)
    return None if np.isnan(number) else round(number, 4)
