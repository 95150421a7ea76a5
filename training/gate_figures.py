"""What a gate warns of: phantoms, images that are none, the second family, the real CT."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.imaging.appearance import measured_turned
from shared.imaging.gate import FARTHEST, Gate
from shared.imaging.model_parameters import SegmentationParameters
from shared.imaging.segment import prepare
from training.evaluation.drawn import drawn_cases
from training.evaluation.real import real_cases
from training.phantoms import Case
from training.strange import STRANGE

Array = NDArray[np.float32]
Rows = NDArray[np.float64]
"""(images, 1 + turns, features)"""


def warned(gate: Gate, images: Rows) -> dict[str, Any]:
    """How many of some images are unusual, how far off they lie (median), and mostly for what."""
    judged = [gate.judge_rows(rows) for rows in images]
    reasons = Counter(reason for each in judged for reason in each.reasons)
    return {
        "images": len(judged),
        "warned": sum(each.unusual for each in judged),
        "median distance": round(float(np.median([each.distance for each in judged])), 2),
        "reasons": dict(reasons.most_common(3)),
    }


def of_strange(gate: Gate, cases: list[Case], parameters: SegmentationParameters) -> dict[str, Any]:
    """Of images that `STRANGE` makes of phantoms, kind by kind."""
    return {
        kind: warned(gate, _measured(_strange(kind, cases, parameters), parameters))
        for kind in STRANGE
    }


def of_other_family(
    gate: Gate, count: int, cache: Path, parameters: SegmentationParameters
) -> dict[str, Any]:
    """Of chests that share no code with those that the gate was fitted to."""
    cases = drawn_cases("otherphantoms", count, cache)
    images = (prepare(case.ct, parameters).hu for case in cases)
    return warned(gate, _measured(images, parameters))


def of_real(gate: Gate, parameters: SegmentationParameters) -> dict[str, Any]:
    """Of each real CT: whether it is unusual, why, and which feature lies farthest off."""
    found = {}
    for case in real_cases("lesion"):
        judged = gate.judge(prepare(case.ct, parameters).hu, parameters.spacing_mm)
        found[case.name] = {
            "warned": judged.unusual,
            "distance": round(min(FARTHEST, judged.distance), 2),
            "reasons": list(judged.reasons),
            "farthest feature": judged.farthest,
        }
    return found


def nearer(distances: list[float]) -> float:
    """How much nearer the best turn brings an image than it lies."""
    return distances[0] - min(distances[1:])


def shown(case: Case, parameters: SegmentationParameters) -> Array:
    """A phantom as the pipeline shows it to a model: HU on its grid."""
    return prepare(case.on_grid(case.hu), parameters).hu


def chance(case: Case) -> np.random.Generator:
    """The same for the same phantom."""
    return np.random.default_rng(int(np.abs(case.hu[::7, ::7, ::7].astype(np.int64)).sum()))


def _strange(kind: str, cases: list[Case], parameters: SegmentationParameters) -> Iterator[Array]:
    step = float(np.mean(parameters.spacing_mm))
    return (STRANGE[kind](shown(case, parameters), step, chance(case)) for case in cases)


def _measured(images: Iterable[Array], parameters: SegmentationParameters) -> Rows:
    return np.array([measured_turned(hu, parameters.spacing_mm) for hu in images])
