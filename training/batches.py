"""Random patches of phantoms, made a little different every time, as tensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.classifier.crop import lung_crop
from services.classifier.expected import ClassificationParameters
from shared.imaging.model_parameters import SegmentationParameters, read_parameters
from shared.imaging.segment import scaled
from training.config import Plan, Size
from training.phantoms import Case, load, train_seeds
from training.scanner import Array, random_view, vary

AIR = -1000.0


@dataclass(frozen=True)
class Batch:
    """Input (batch, 1, z, y, x); the target's meaning depends on the task.

    lung: labels (batch, z, y, x). lesion: lesions, the inside of the lung, and look-alikes,
    (batch, 3, z, y, x). classification: the looks' shares, (batch, 3, z / 2, y / 2, x / 2).
    `covid` (batch,) is 1 where COVID-19 is to be seen.
    """

    volume: Tensor
    target: Tensor
    covid: Tensor


class Patches:
    """Batches of one plan. The batch of a step depends on the plan's seed and the step alone."""

    def __init__(self, plan: Plan, parameters: Mapping[str, str], cache: Path) -> None:
        self._plan = plan
        self._expected: ClassificationParameters | SegmentationParameters
        if plan.task == "classification":
            self._expected = read_parameters(ClassificationParameters, plan.name, parameters)
        else:
            self._expected = read_parameters(SegmentationParameters, plan.name, parameters)
        self._cache = cache

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([self._plan.seed, step])
        size = _smaller(self._plan.patch, rng)
        samples = [self._sample(rng, size) for _ in range(self._plan.batch)]
        volume = torch.from_numpy(np.stack([volume for volume, _, _ in samples])[:, None])
        target = torch.from_numpy(np.stack([target for _, target, _ in samples]))
        return Batch(volume, target, torch.tensor([int(covid) for _, _, covid in samples]))

    def _sample(
        self, rng: np.random.Generator, size: Size
    ) -> tuple[Array, NDArray[np.generic], bool]:
        case = self._choice(rng)
        hu: Array
        target: NDArray[np.generic]
        if isinstance(self._expected, ClassificationParameters):
            hu, target = _lung_crop(case, self._expected, rng)
        else:
            hu, target = self._patch(case, self._expected, rng, size)
        return scaled(vary(hu, rng), self._expected), target, case.covid

    def _choice(self, rng: np.random.Generator) -> Case:
        while True:
            # Read anew each time: the system keeps files in memory better, once for all processes.
            seed = int(rng.choice(train_seeds(self._plan.phantoms)))
            case = load(self._cache, self._plan.phantoms, seed)
            if self._plan.task != "classification" or (case.clear and case.lungs.any()):
                return case

    def _patch(
        self,
        case: Case,
        expected: SegmentationParameters,
        rng: np.random.Generator,
        size: Size,
    ) -> tuple[Array, NDArray[np.generic]]:
        x, y, z = expected.spacing_mm
        middle = self._middle(case, rng)
        view = random_view(rng, size, (z, y, x), case.hu.shape, case.spacing, middle)
        hu = view.of(case.hu, "bilinear", AIR)
        if self._plan.task == "lung":
            return hu, view.of(case.lungs, "nearest").astype(np.int64)
        masks = np.stack([case.lungs, case.lesions, case.others])
        lungs, lesions, others = view.of(masks, "nearest")
        inside = ((lungs > 0) | (lesions > 0)).astype(np.float32)
        return hu, np.stack([lesions, inside, others])

    def _middle(self, case: Case, rng: np.random.Generator) -> NDArray[np.float64] | None:
        """A voxel of a lesion, where there is one, four times of ten; of the lung; or any."""
        kind = rng.random()
        if self._plan.task == "lung" or kind > 0.7:
            return None
        of_lesion = kind < 0.4 and case.lesions.any()
        voxels = np.flatnonzero(case.lesions if of_lesion else case.lungs)
        if not voxels.size:
            return None
        return np.array(np.unravel_index(rng.choice(voxels), case.hu.shape), np.float64)


def _lung_crop(
    case: Case, expected: ClassificationParameters, rng: np.random.Generator
) -> tuple[Array, Array]:
    """As the classifier crops, with a margin that varies as its masks of the lungs do.

    The target is the looks' shares, in the same crop at half its size.
    """
    margin = max(0.0, expected.margin_mm + rng.uniform(-6.0, 10.0))
    wider = expected.model_copy(update={"margin_mm": margin})
    z, y, x = (size // 2 for size in expected.size)
    coarse = wider.model_copy(update={"size": (z, y, x)})
    lungs = case.on_grid(case.lungs)
    hu = lung_crop(case.on_grid(case.hu), lungs, wider)
    lesions, others = (
        lung_crop(case.on_grid(mask.astype(np.float32)), lungs, coarse)
        for mask in (case.lesions, case.others & ~case.lesions)
    )
    if case.kind != "covid":
        others, lesions = np.maximum(others, lesions), np.zeros_like(lesions)
    looks = np.stack([np.clip(1 - lesions - others, 0, 1), lesions, others])
    # A chest's halves show the same diseases.
    if rng.random() < 0.5:
        hu, looks = hu[..., ::-1], looks[..., ::-1]
    return np.ascontiguousarray(hu), np.ascontiguousarray(looks)


def _smaller(patch: Size, rng: np.random.Generator) -> Size:
    """Up to 32 voxels less of each axis: a scan that is cut, a field of view that is narrow.

    Multiples of 16, as the network wants them. Without this the side of a lung is told by its
    distance from the image's border.
    """
    z, y, x = (length - 16 * int(rng.integers(0, 3)) for length in patch)
    return z, y, x
