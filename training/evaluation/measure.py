"""One case through the pipeline's own code, and the figures of what came out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.classifier.crop import Crop, crop_of
from services.classifier.expected import ClassificationParameters
from services.classifier.probabilities import of_classes
from services.classifier.saliency import map_of
from shared.imaging.model_parameters import read_parameters
from shared.imaging.segment import as_probabilities, scaled, segment
from shared.imaging.volume import Volume
from shared.inference.port import Inference
from training.evaluation.cases import LEFT, RIGHT, Case, Task, needed
from training.evaluation.overlap import Mask, dice, surface_dice
from training.evaluation.problem import BadInput

MODELS: dict[Task, str] = {"lung": "lung_seg", "lesion": "lesion_seg", "class": "covid_classifier"}
"""The reference model of each task."""
MARKED = "marked % of the lungs"
"""Of a case without lesions."""
CALLED = "called COVID-19"


@dataclass(frozen=True)
class Classified:
    """What the classifier's service would report: of the last class, which it looks for."""

    probability: float
    positive: bool
    """Whether that is at or above the model's operating point; 0.5 where it declares none."""
    crop: Volume
    """HU, int16 to save memory."""
    saliency: Volume


@dataclass(frozen=True)
class Slice:
    """The axial slice (y, x) of a CT in which most voxels are called wrong."""

    z: int
    hu: NDArray[np.generic]
    found: Mask
    truth: Mask
    pixel_mm: tuple[float, float]
    """Along x and y."""


@dataclass(frozen=True)
class Measured:
    """The figures of one case, and what a picture of it shows. Its volumes are let go of."""

    name: str
    kind: str
    figures: dict[str, float]
    shown: Slice | Classified | None = None


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
    # What a mask without sides calls 1 may be either lung.
    of = (found, truth) if case.sides else (found > 0, truth > 0)
    return Measured(case.name, case.kind, figures, _worst_slice(case.ct, *of))


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
    return Measured(case.name, case.kind, figures, _worst_slice(case.ct, found, truth))


def _false(case: Case, found: NDArray[np.bool_], inside: NDArray[np.bool_]) -> dict[str, float]:
    """What is marked in lungs without lesions, as the ratio stage reports it; and apart what looks
    like a lesion and is none, where that is known.
    """
    figures = {MARKED: 100 * _share(found, inside), "false ml": _ml(found, case.ct)}
    if case.apart is None:
        return figures
    there, rest = inside & case.apart, inside & ~case.apart
    figures["false % of the lungs, look-alikes left out"] = 100 * _share(found & rest, rest)
    if there.any():
        figures["% of look-alikes marked"] = 100 * _share(found & there, there)
    return figures


def _covid(case: Case, model: str, inference: Inference) -> Measured:
    truth = needed(case.covid, case, "whether it shows COVID-19")
    lungs = _inside(case, inference).astype(np.uint8)
    seen = classified(case.ct, case.ct.like(lungs), inference, model)
    figures = {"probability": seen.probability, "covid": float(truth), CALLED: float(seen.positive)}
    return Measured(case.name, case.kind, figures, seen)


def _inside(case: Case, inference: Inference) -> NDArray[np.bool_]:
    """The lungs that came with a case, or else those that the lung model finds, as in a study.

    Raises `BadInput` for none.
    """
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
        "surface dice": surface_dice(found, truth, ct.spacing),
        "volume error ml": error,
        "volume error %": 100 * error / max(_ml(truth, ct), ct.voxel_ml),
    }


def _worst_slice(ct: Volume, found: Mask, truth: Mask) -> Slice:
    z = int(np.argmax(np.count_nonzero(found != truth, axis=(1, 2))))
    # Copies, as a view would keep its volume.
    hu, own, true = (np.array(array[z]) for array in (ct.array, found, truth))
    return Slice(z, hu, own, true, ct.spacing[:2])


def labels(ct: Volume, model: str, inference: Inference) -> NDArray[np.uint8]:
    """The mask (z, y, x) that a segmentation model's service would give."""
    return np.asarray(segment(ct, model, inference).array, dtype=np.uint8)


def classified(
    ct: Volume, lungs: Volume, inference: Inference, model: str = MODELS["class"]
) -> Classified:
    """What the classifier's service would report. Raises `BadModel` where it would."""
    expected = read_parameters(ClassificationParameters, model, inference.parameters(model))
    crop = crop_of(ct, lungs, expected)
    names = tuple(filter(None, (expected.output_tensor, expected.saliency_output)))
    tensor = scaled(crop.hu, expected)[None, None]
    answer = inference.infer(model, {expected.input_tensor: tensor}, names)
    values = np.asarray(answer[expected.output_tensor][0], np.float32)
    output = as_probabilities(values, expected)
    probability = list(of_classes(output, expected.labels).values())[-1]
    point = 0.5 if expected.threshold is None else expected.threshold
    told = answer.get(expected.saliency_output or "")
    saliency = map_of(None if told is None else told[0], crop.grid)
    return Classified(probability, probability >= point, _seen(crop), saliency)


def _seen(crop: Crop) -> Volume:
    grid = crop.grid
    hu = np.rint(crop.hu).astype(np.int16)
    return Volume(hu, grid.spacing, grid.origin, grid.direction)


def _ml(mask: Mask, ct: Volume) -> float:
    return int(np.count_nonzero(mask)) * ct.voxel_ml


def _share(found: Mask, of: Mask) -> float:
    return int(np.count_nonzero(found)) / max(1, int(np.count_nonzero(of)))
