"""How good the exported models are: on phantoms never trained on, and on real CT.

They are run by the pipeline's own code, so what is measured is what a study gets. Real CT is read
here and nowhere else in training; nothing is chosen by what comes out.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from services.classifier.crop import lung_crop
from services.classifier.expected import ClassificationParameters
from shared.events.models import Lane
from shared.imaging.model_parameters import read_parameters
from shared.imaging.segment import ask, scaled, segment
from shared.imaging.volume import Volume, from_sitk
from shared.inference.port import Inference
from training.config import ROOT, Plan
from training.phantoms import Case, held_out_seeds, load

DATA = ROOT.parent / "shared" / "data"
"""Real CT, where the machine has it."""

Figures = dict[str, Any]
Mask = NDArray[Any]


def dice(found: Mask, truth: Mask) -> float:
    """Of two masks; 1 when both are empty."""
    total = int(np.count_nonzero(found)) + int(np.count_nonzero(truth))
    return 2 * int(np.count_nonzero(found & truth)) / total if total else 1.0


def evaluate(plan: Plan, cache: Path, inference: Inference) -> Figures:
    """The figures of one model on its held-out phantoms."""
    cases = [load(cache, plan.phantoms, seed) for seed in held_out_seeds(plan.phantoms)]
    if plan.task == "lung":
        return _lungs(cases, inference)
    if plan.task == "lesion":
        return _lesions(cases, inference)
    return _classification(cases, inference)


def _lungs(cases: list[Case], inference: Inference) -> Figures:
    found = [_labels(case.on_grid(case.hu), "lung_seg", inference) for case in cases]
    pairs = list(zip(found, (case.lungs for case in cases), strict=True))
    return {
        "phantoms": len(cases),
        "both lungs": _spread([dice(f > 0, t > 0) for f, t in pairs]),
        "left": _spread([dice(f == 1, t == 1) for f, t in pairs]),
        "right": _spread([dice(f == 2, t == 2) for f, t in pairs]),
    }


def _lesions(cases: list[Case], inference: Inference) -> Figures:
    """Within the true lung, as the pipeline restricts lesions to the lung too; and outside it."""
    scores, false_share, outside, hit, found_all, true_all = [], [], [], 0, 0, 0
    outside_litres = []
    for case in cases:
        found = _labels(case.on_grid(case.hu), "lesion_seg", inference) > 0
        truth, inside = case.lesions > 0, case.lungs > 0
        outside.append(int((found & ~inside).sum()) / max(1, int(found.sum())))
        outside_litres.append(_litres(found & ~inside, case.on_grid(case.hu)))
        found &= inside
        if truth.any():
            scores.append(dice(found, truth))
            hit += int((found & truth).sum())
            found_all += int(found.sum())
            true_all += int(truth.sum())
        elif inside.any():
            false_share.append(int(found.sum()) / int(inside.sum()))
    return {
        "phantoms with pneumonia": len(scores),
        "dice": _spread(scores),
        "sensitivity of voxels": round(hit / max(1, true_all), 3),
        "precision of voxels": round(hit / max(1, found_all), 3),
        "phantoms without": len(false_share),
        "share of their lungs marked": _spread(false_share, worst=max),
        "share of what is found that lies outside the lungs": _spread(outside, worst=max),
        "litres marked outside the lungs": _spread(outside_litres, worst=max),
    }


def _classification(cases: list[Case], inference: Inference) -> Figures:
    cases = [case for case in cases if case.lungs.any()]
    kinds = np.array(
        [case.kind if case.covid or case.kind != "covid" else "out of view" for case in cases]
    )
    covid = np.array([case.covid for case in cases])
    scores = np.array(
        [
            covid_probability(case.on_grid(case.hu), case.on_grid(case.lungs), inference)
            for case in cases
        ]
    )
    decided = scores >= 0.5
    return {
        "phantoms": len(cases),
        "accuracy": round(float((decided == covid).mean()), 3),
        "area under the ROC curve": round(_area(scores[covid], scores[~covid]), 3),
        "Brier score": round(float(((scores - covid) ** 2).mean()), 3),
        "called COVID-19, by kind": {
            str(kind): f"{int(decided[kinds == kind].sum())} of {int((kinds == kind).sum())}"
            for kind in np.unique(kinds)
        },
    }


def _litres(mask: Mask, grid: Volume) -> float:
    return int(np.count_nonzero(mask)) * grid.voxel_ml / 1000


def _labels(volume: Volume, model: str, inference: Inference) -> NDArray[np.uint8]:
    return np.asarray(segment(volume, model, inference).array, dtype=np.uint8)


def covid_probability(volume: Volume, lungs: Volume, inference: Inference) -> float:
    """What the classifier service would report."""
    name = "covid_classifier"
    expected = read_parameters(ClassificationParameters, name, inference.parameters(name))
    crop = scaled(lung_crop(volume, lungs, expected), expected)
    return float(ask(crop, name, expected, inference, Lane.ROUTINE)[1])


def _area(positive: NDArray[Any], negative: NDArray[Any]) -> float:
    """Mann-Whitney: how often a positive case scores above a negative one."""
    higher = positive[:, None] > negative[None, :]
    equal = positive[:, None] == negative[None, :]
    return float((higher + equal / 2).mean())


def _spread(values: list[float], worst: Callable[[list[float]], float] = min) -> Figures:
    if not values:
        return {}
    figures = (float(np.median(values)), float(np.mean(values)), worst(values))
    return dict(zip(("median", "mean", "worst"), (round(f, 4) for f in figures), strict=True))


def evaluate_real(inference: Inference) -> Figures:
    """All models together on the real CT of this machine; empty where there is none."""
    if not DATA.is_dir():
        return {}
    masks = DATA / "lung-masks"
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(masks / "wholeLung-64.nrrd")))
    ct = from_sitk(sitk.ReadImage(str(masks / "ct-64.nrrd")))
    found = _labels(ct, "lung_seg", inference)
    figures: Figures = {"CT with a mask: dice of both lungs": round(dice(found > 0, truth > 0), 3)}
    for folder in sorted((DATA / "chest-ct-real").iterdir()):
        figures[folder.name] = _findings(read_series(folder), inference)
    return figures


def _findings(volume: Volume, inference: Inference) -> Figures:
    lungs = _labels(volume, "lung_seg", inference)
    inside = lungs > 0
    if not inside.any():
        return {"lungs": "not found"}
    marked = _labels(volume, "lesion_seg", inference) > 0
    probability = covid_probability(volume, volume.like(lungs), inference)
    return {
        "left ml": round(int((lungs == 1).sum()) * volume.voxel_ml),
        "right ml": round(int((lungs == 2).sum()) * volume.voxel_ml),
        "share of the lungs marked": round(float(marked[inside].mean()), 4),
        "litres marked outside the lungs": round(_litres(marked & ~inside, volume), 4),
        "probability of COVID-19": round(probability, 3),
    }


def read_series(folder: Path) -> Volume:
    """The one CT series of a folder, in HU."""
    reader = sitk.ImageSeriesReader()
    files = next(
        reader.GetGDCMSeriesFileNames(str(path), series)
        for path in (folder, *sorted(p for p in folder.rglob("*") if p.is_dir()))
        for series in reader.GetGDCMSeriesIDs(str(path))
    )
    reader.SetFileNames(files)
    return from_sitk(reader.Execute())
