"""The small chests that refusals and warnings are made of: 64 x 64 pixels, drawn once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from pydicom.dataset import Dataset

from phantom.anatomy import Phantom, draw
from phantom.dicom import series
from phantom.recipe import Recipe

Study = Callable[[int], list[Dataset]]
"""Makes the data sets of one study from a seed."""

SLAB = Recipe(shape=(24, 64, 64), spacing=(5.0, 6.0, 6.0), scale=0.85, lesions=2)
"""The middle of a chest: enough slices for the pipeline's least, few enough to be fast."""
CHEST = Recipe(shape=(64, 64, 64), spacing=(5.0, 6.0, 6.0), scale=0.85, lesions=2)
"""A chest from apex to recess, for the warnings: nothing else may be the matter with it."""


@lru_cache(maxsize=8)
def drawn(recipe: Recipe) -> Phantom:
    """The phantom of a recipe, kept: most studies differ in their headers only."""
    return draw(recipe)


def slab(seed: int, **attributes: object) -> list[Dataset]:
    """The middle of a chest, with these attributes set in each data set."""
    datasets = series(drawn(replace(SLAB, seed=seed)))
    for ds in datasets:
        for keyword, value in attributes.items():
            setattr(ds, keyword, value)
    return datasets


def slab_without(seed: int, *keywords: str) -> list[Dataset]:
    """The middle of a chest that lacks these attributes."""
    datasets = slab(seed)
    for ds in datasets:
        for keyword in keywords:
            delattr(ds, keyword)
    return datasets


def chest(seed: int, **recipe: Any) -> list[Dataset]:
    """A whole chest after a changed recipe."""
    return series(drawn(replace(CHEST, seed=seed, **recipe)))
