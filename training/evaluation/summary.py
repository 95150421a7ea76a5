"""Figures of many cases as one: median with its interval, mean, worst, number of cases."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.cases import Task
from training.evaluation.measure import CALLED, MARKED, Measured
from training.evaluation.probabilities import (
    OF_CALLS,
    OF_PROBABILITIES,
    calibration_interval,
    interval,
)

HIGH_IS_GOOD = ("dice", "surface dice", "sensitivity", "precision")
Figures = dict[str, Any]
Statistic = Callable[[NDArray[Any], NDArray[np.bool_]], float]


def summary(measured: Sequence[Measured], task: Task) -> dict[str, Figures]:
    """By figure. A figure that only some cases have tells how many in `n`."""
    if task == "class":
        return _classification(measured)
    names = dict.fromkeys(name for each in measured for name in each.figures)
    told = {
        name: _spread(name, [each.figures[name] for each in measured if name in each.figures])
        for name in names
    }
    kinds = sorted({each.kind for each in measured if MARKED in each.figures})
    for kind in kinds if len(kinds) > 1 else ():
        of = [each for each in measured if each.kind == kind and MARKED in each.figures]
        told[f"{MARKED}: {kind}"] = _spread(MARKED, [each.figures[MARKED] for each in of])
    return told


def by_badness(measured: Sequence[Measured], task: Task) -> list[Measured]:
    """The worst first: lowest Dice, or most that is falsely marked; the farthest probability."""

    def goodness(each: Measured) -> float:
        figures = each.figures
        if task == "class":
            return -abs(figures["probability"] - figures["covid"])
        return figures.get("dice", 1 - figures.get(MARKED, 0) / 100)

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
    called = np.array([bool(each.figures[CALLED]) for each in measured])
    truth = np.array([bool(each.figures["covid"]) for each in measured])
    told = {name: _of(scores, truth, of) for name, of in OF_PROBABILITIES.items()}
    told |= {name: _of(called, truth, of) for name, of in OF_CALLS.items()}
    ends = calibration_interval(scores, truth)
    told["calibration error"]["interval"] = [_rounded(end) for end in ends]
    told["sensitivity"]["n"], told["specificity"]["n"] = int(truth.sum()), int((~truth).sum())
    kinds = np.array([each.kind or "a case" for each in measured])
    for kind in sorted(set(kinds.tolist())):
        of_kind = called[kinds == kind]
        told[f"{CALLED}: {kind}"] = {"n": len(of_kind), "value": int(of_kind.sum())}
    return told


def _of(values: NDArray[Any], truth: NDArray[np.bool_], statistic: Statistic) -> Figures:
    return {
        "n": len(values),
        "value": _rounded(statistic(values, truth)),
        "interval": _interval(len(values), lambda c: statistic(values[c], truth[c])),
    }


def _interval(count: int, statistic: Any) -> list[float | None]:
    return [_rounded(end) for end in interval(count, statistic)]


def _rounded(value: Any) -> float | None:
    """Four decimals; what can't be told (nan) is None, as JSON has no nan."""
    number = float(value)
    return None if np.isnan(number) else round(number, 4)
