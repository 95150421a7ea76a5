"""The model's output as the probability of each class."""

import csv
import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared.imaging.model_parameters import BadModel

_DIGITS = 6


def of_classes(output: NDArray[np.float32], labels: Mapping[int, str]) -> dict[str, float]:
    """Class → probability, in the order of the labels' numbers.

    A model of two classes may give only the second's. Raises `BadModel` when the output has
    another number of channels than there are labels.
    """
    names = [labels[value] for value in sorted(labels)]
    values = [float(value) for value in output.ravel()]
    if len(values) == 1 and len(names) == 2:
        values = [1 - values[0], values[0]]
    if len(values) != len(names):
        raise BadModel(f"{len(values)} channels for the classes {names}")
    return {name: round(value, _DIGITS) for name, value in zip(names, values, strict=True)}


def as_csv(probabilities: Mapping[str, float]) -> bytes:
    """One row per class, below the column names."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("class", "probability"))
    rows.writerows((name, f"{value:.{_DIGITS}f}") for name, value in probabilities.items())
    return text.getvalue().encode()
