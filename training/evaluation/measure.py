"""One case through the pipeline's own code, and the figures of what came out."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.classifier.crop import lung_crop
from services.classifier.expected import ClassificationParameters
from shared.events.models import Lane
from shared.imaging.model_parameters import read_parameters
from shared.imaging.segment import ask, scaled, segment
from shared.imaging.volume import Volume
from shared.inference.port import Inference
from training.evaluation.cases import LEFT, RIGHT, Case, Task, needed
from training.evaluation.overlap import Mask, dice, surface_dice
from training.evaluation.problem import BadInput

MODELS: dict[Task, str] = {"lung": "lung_seg", "lesion": "lesion_seg", "class": "covid_classifier"}
"""The reference model of each task."""


@dataclass(frozen=True)
class Measured:
    """The figures of one case, and the masks that pictures need."""

    case: Case
    figures: dict[str, float] = field(default_factory=dict)
    found: Mask | None = None
    truth: Mask | None = None


def measure(case: Case, task: Task, model: str, inference: Inference) -> Measured:
    """Raises `BadInput` where the truth that the task needs is missing."""
    if task == "lung":
        return _lungs(case, model, inference)
    if task == "lesion":
        return _lesions(case, model, inference)
    return _covid(case, model, inference)


def _lungs(case: Case, model: str, inference: Inference) -> Measured:
    truth = needed(case.lungs, case, "a mask of the lungs")
    found = labels(case.ct, model, inference)
    figures = _agreement(case.ct, found > 0, truth > 0)
    if case.sides:
        sides = {"left": LEFT, "right": RIGHT}
        figures |= {f"dice {n}": dice(found == v, truth == v) for n, v in sides.items()}
        swapped = ((found == LEFT) & (truth == RIGHT)) | ((found == RIGHT) & (truth == LEFT))
        figures["ml on the wrong side"] = _ml(swapped, case.ct)
    return Measured(case, figures, found, truth)


def _lesions(case: Case, model: str, inference: Inference) -> Measured:
    """What lies outside the lungs is told apart: the pipeline drops it."""
    truth = np.asarray(needed(case.lesions, case, "a mask of the lesions")) > 0
    inside = _inside(case, inference)
    everywhere = labels(case.ct, model, inference) > 0
    found = everywhere & inside
    figures = {"ml outside the lungs": _ml(everywhere & ~inside, case.ct)}
    if truth.any():
        figures |= _agreement(case.ct, found, truth)
        both = np.count_nonzero(found & truth)
        figures["sensitivity"] = both / np.count_nonzero(truth)
        if found.any():
            figures["precision"] = both / np.count_nonzero(found)
    else:
        figures |= _false(case, found, inside)
    return Measured(case, figures, found, truth)


def _false(case: Case, found: NDArray[np.bool_], inside: NDArray[np.bool_]) -> dict[str, float]:
    """What is marked in lungs without lesions; another disease apart from the rest."""
    apart = np.zeros(inside.shape, bool) if case.apart is None else case.apart
    there, rest = inside & apart, inside & ~apart
    figures = {
        "false ml": _ml(found & rest, case.ct),
        "false % of the lungs": 100 * _share(found & rest, rest),
    }
    if there.any():
        figures["% of another disease marked"] = 100 * _share(found & there, there)
    return figures


def _covid(case: Case, model: str, inference: Inference) -> Measured:
    truth = needed(case.covid, case, "whether it shows COVID-19")
    lungs = _inside(case, inference).astype(np.uint8)
    probability = covid_probability(case.ct, case.ct.like(lungs), inference, model)
    return Measured(case, {"probability": probability, "covid": float(truth)})


def _inside(case: Case, inference: Inference) -> NDArray[np.bool_]:
    """The true lungs, or else what the lung model finds. Raises `BadInput` for none."""
    known = case.lungs
    lungs = labels(case.ct, MODELS["lung"], inference) if known is None else known
    inside = np.asarray(lungs) > 0
    if not inside.any():
        raise BadInput("no-lungs", f"{case.name}: no lung in the mask, or none was found")
    return np.asarray(inside, dtype=bool)


def _agreement(ct: Volume, found: Mask, truth: Mask) -> dict[str, float]:
    error = _ml(found, ct) - _ml(truth, ct)
    return {
        "dice": dice(found, truth),
        "surface dice 2 mm": surface_dice(found, truth, ct.spacing),
        "volume error ml": error,
        "volume error %": 100 * error / max(_ml(truth, ct), ct.voxel_ml),
    }


def labels(ct: Volume, model: str, inference: Inference) -> NDArray[np.uint8]:
    """The mask (z, y, x) that a segmentation model's service would give."""
    return np.asarray(segment(ct, model, inference).array, dtype=np.uint8)


def covid_probability(
    ct: Volume, lungs: Volume, inference: Inference, model: str = MODELS["class"]
) -> float:
    """What the classifier's service would report."""
    expected = read_parameters(ClassificationParameters, model, inference.parameters(model))
    crop = scaled(lung_crop(ct, lungs, expected), expected)
    return float(ask(crop, model, expected, inference, Lane.ROUTINE)[1])


def _ml(mask: Mask, ct: Volume) -> float:
    return int(np.count_nonzero(mask)) * ct.voxel_ml


def _share(found: Mask, of: Mask) -> float:
    return int(np.count_nonzero(found)) / int(np.count_nonzero(of))
