"""Random patches of phantoms, made a little different every time, as tensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from services.classifier.crop import lung_crop
from services.classifier.expected import ClassificationParameters
from shared.imaging.model_parameters import ModelParameters, read_parameters
from shared.imaging.segment import scaled
from training.config import Plan, Size
from training.phantoms import Case, load, train_seeds

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """Input (batch, 1, z, y, x); the target's meaning depends on the task.

    lung: labels (batch, z, y, x). lesion: lesions and the inside of the lung, (batch, 2, z, y, x).
    classification: the looks' shares, (batch, 3, z / 2, y / 2, x / 2).
    """

    volume: Tensor
    target: Tensor


class Patches:
    """Batches of one plan. The batch of a step depends on the plan's seed and the step alone."""

    def __init__(self, plan: Plan, parameters: Mapping[str, str], cache: Path) -> None:
        self._plan = plan
        self._expected = read_parameters(ModelParameters, plan.name, parameters)
        self._crop: ClassificationParameters | None = None
        if plan.task == "classification":
            self._crop = read_parameters(ClassificationParameters, plan.name, parameters)
        self._case = lru_cache(maxsize=700)(lambda seed: load(cache, plan.phantoms, seed))

    def batch(self, step: int) -> Batch:
        rng = np.random.default_rng([self._plan.seed, step])
        pairs = [self._sample(rng) for _ in range(self._plan.batch)]
        volume = torch.from_numpy(np.stack([volume for volume, _ in pairs])[:, None])
        return Batch(volume, torch.from_numpy(np.stack([target for _, target in pairs])))

    def _sample(self, rng: np.random.Generator) -> tuple[Array, NDArray[np.generic]]:
        seeds = train_seeds(self._plan.phantoms)
        case = self._case(int(rng.choice(seeds)))
        if self._crop:
            while not case.lungs.any():
                case = self._case(int(rng.choice(seeds)))
            return self._lung_crop(case, self._crop, rng)
        hu, target = self._patch(case, rng)
        return scaled(vary(hu, rng), self._expected), target

    def _patch(self, case: Case, rng: np.random.Generator) -> tuple[Array, NDArray[np.generic]]:
        # Patches of one batch are of one size, so only a batch of one can vary it.
        size = _smaller(self._plan.patch, rng) if self._plan.batch == 1 else self._plan.patch
        if self._plan.task == "lung":
            box = _window(case.hu.shape, size, None, rng)
            shift = (0, *rng.integers(-16, 17, 2)) if rng.random() < 0.5 else (0, 0, 0)
            hu = moved(case.hu[box].astype(np.float32), shift, -1000)
            return hu, moved(case.lungs[box].astype(np.int64), shift, 0)
        box = _window(case.hu.shape, size, self._centre(case, rng), rng)
        hu, lungs, lesions = (a[box] for a in (case.hu, case.lungs, case.lesions))
        inside = (lungs > 0) | (lesions > 0)
        return hu.astype(np.float32), np.stack([lesions, inside]).astype(np.float32)

    def _lung_crop(
        self, case: Case, expected: ClassificationParameters, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """As the classifier crops, with a margin that varies as its masks of the lungs do.

        The target is the looks' shares, in the same crop at half its size.
        """
        margin = max(0.0, expected.margin_mm + rng.uniform(-6.0, 10.0))
        wider = expected.model_copy(update={"margin_mm": margin})
        lungs = case.on_grid(case.lungs)
        hu = lung_crop(case.on_grid(case.hu), lungs, wider)
        z, y, x = (size // 2 for size in expected.size)
        coarse = wider.model_copy(update={"size": (z, y, x)})
        opacity = lung_crop(case.on_grid(case.lesions.astype(np.float32)), lungs, coarse)
        nothing, zero = 1 - opacity, np.zeros_like(opacity)
        looks = [nothing, opacity, zero] if case.covid else [nothing, zero, opacity]
        return scaled(vary(hu, rng), self._expected), np.stack(looks)

    def _centre(self, case: Case, rng: np.random.Generator) -> NDArray[np.int64] | None:
        """A voxel of a lesion, where there is one, six times of ten; of the lung; or any."""
        kind = rng.random()
        if kind > 0.8:
            return None
        of_lesion = kind < 0.6 and case.lesions.any()
        voxels = np.flatnonzero(case.lesions if of_lesion else case.lungs)
        if not voxels.size:
            return None
        return np.array(np.unravel_index(rng.choice(voxels), case.hu.shape))


def vary(hu: Array, rng: np.random.Generator) -> Array:
    """Another calibration, sharpness and noise of the scanner."""
    if rng.random() < 0.3:
        hu = ndimage.gaussian_filter(hu, rng.uniform(0.2, 0.8))
    gain, offset = rng.normal(1.0, 0.03), rng.normal(0.0, 15.0)
    noise = rng.standard_normal(hu.shape, dtype=np.float32) * np.float32(rng.gamma(1.0, 15.0))
    # Gain acts on the attenuation, so air stays air.
    return np.asarray((hu + 1000) * gain - 1000 + offset + noise, dtype=np.float32)


def moved(array: NDArray[Any], shift: tuple[int, ...], fill: int) -> NDArray[Any]:
    """The content shifted by voxels (z, y, x); what comes in from outside is `fill`."""
    result = np.full_like(array, fill)
    sizes = list(zip(array.shape, shift, strict=True))
    there = tuple(slice(max(0, by), size + min(0, by)) for size, by in sizes)
    here = tuple(slice(max(0, -by), size + min(0, -by)) for size, by in sizes)
    result[there] = array[here]
    return result


def _smaller(patch: Size, rng: np.random.Generator) -> Size:
    """Up to 32 voxels less of each axis: a scan that is cut, a field of view that is narrow.

    Multiples of 16, as the network wants them. Without this the side of a lung is told by its
    distance from the image's border.
    """
    z, y, x = (length - 16 * int(rng.integers(0, 3)) for length in patch)
    return z, y, x


def _window(
    shape: tuple[int, ...],
    patch: Size,
    centre: NDArray[np.int64] | None,
    rng: np.random.Generator,
) -> tuple[slice, ...]:
    """A patch that holds `centre` somewhere in its middle half, or anywhere without one."""
    box = []
    for axis, (size, length) in enumerate(zip(shape, patch, strict=True)):
        last = max(0, size - length)
        start = rng.integers(0, last + 1)
        if centre is not None:
            start = np.clip(centre[axis] - round(length * rng.uniform(0.25, 0.75)), 0, last)
        box.append(slice(int(start), int(start) + length))
    return tuple(box)
