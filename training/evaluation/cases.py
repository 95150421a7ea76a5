"""One CT with what is known to be true of it, and where such cases come from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shared.imaging.volume import Volume
from training.evaluation.problem import BadInput

Task = Literal["lung", "lesion", "class"]
Mask = NDArray[Any]

LEFT, RIGHT = 1, 2
"""Values of a mask that tells the lungs apart."""


@dataclass(frozen=True)
class Case:
    """A CT in HU and its truth: masks are (z, y, x) on the CT's grid, None where unknown."""

    name: str
    ct: Volume
    lungs: Mask | None = None
    """Above 0 in the lungs, where lesions count; with `sides`, 1 is the left one, 2 the right."""
    sides: bool = False
    lesions: Mask | None = None
    covid: bool | None = None
    apart: NDArray[np.bool_] | None = None
    """What looks like a lesion and is none, all of it: what is marked there is told apart."""
    kind: str = ""


@dataclass(frozen=True)
class Cases:
    """So many cases, each made when its turn comes: volumes are large."""

    makers: tuple[Callable[[], Case], ...]

    def __len__(self) -> int:
        return len(self.makers)

    def __iter__(self) -> Iterator[Case]:
        return (make() for make in self.makers)


def needed(value: Any, case: Case, what: str) -> Any:
    """What a task can't do without. Raises `BadInput`."""
    if value is None:
        raise BadInput("truth-missing", f"{case.name}: this task needs {what}, and there is none")
    return value
