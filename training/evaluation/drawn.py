"""Drawn cases that no model was trained on, kept in a folder once they are drawn."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import phantom
from shared.imaging.volume import Volume
from training import otherphantom
from training.evaluation.cases import Case, Cases
from training.phantoms import FIRST_HELD_OUT, drawing_code

Family = Literal["phantoms", "otherphantoms"]

UNCLEAR = "nearly out of view"
"""The kind of a scan that ends above nearly all of its opacities: neither with nor without."""
SPACING = (3.0, 3.0, 3.0)
SHAPE = (107, 128, 128)
"""Millimetres and voxels (z, y, x): a whole chest."""


@dataclass(frozen=True)
class Drawn:
    """What both families give: HU, lungs (1 left, 2 right), lesions, and what it shows."""

    hu: NDArray[np.int16]
    lungs: NDArray[np.uint8]
    lesions: NDArray[np.uint8]
    others: NDArray[np.uint8]
    """Tumours, and what looks like pneumonia and is none."""
    covid: bool
    kind: str


def drawn_cases(family: Family, count: int, cache: Path) -> Cases:
    """The first `count` held-out cases of a family."""
    seeds = range(FIRST_HELD_OUT, FIRST_HELD_OUT + count)
    return Cases(tuple(partial(_case, family, seed, cache) for seed in seeds))


def _case(family: Family, seed: int, cache: Path) -> Case:
    code = drawing_code(phantom if family == "phantoms" else otherphantom)
    found = _kept(cache / f"{family}-{code}" / f"{seed}.npz", partial(_draw, family, seed))
    z, y, x = SPACING
    ct = Volume(found.hu, (x, y, z))
    name = f"{family[:-1]} {seed}"
    covid = None if found.kind == UNCLEAR else found.covid
    apart = found.others > 0 if family == "phantoms" else None
    return Case(name, ct, found.lungs, True, found.lesions, covid, apart, found.kind)


def _draw(family: Family, seed: int) -> Drawn:
    if family == "otherphantoms":
        other = otherphantom.draw(seed, SHAPE, SPACING)
        nothing = np.zeros_like(other.lesions)
        return Drawn(other.hu, other.lungs, other.lesions, nothing, other.covid, other.kind)
    recipe = phantom.Recipe.random(seed, spacing=SPACING, shape=SHAPE)
    drawn = phantom.draw(recipe)
    hidden = drawn.recipe.covid and not drawn.covid and drawn.lesions.any()
    kind = UNCLEAR if hidden else str(drawn.recipe.kind)
    others = drawn.tumours | drawn.doubtful
    return Drawn(drawn.hu, drawn.lungs, drawn.lesions, others, drawn.covid, kind)


def _kept(path: Path, draw: Callable[[], Drawn]) -> Drawn:
    if path.exists():
        with np.load(path) as stored:
            hu, lungs, lesions, others = (
                stored[name] for name in ("hu", "lungs", "lesions", "others")
            )
            covid, kind = bool(stored["covid"]), str(stored["kind"])
            return Drawn(hu, lungs, lesions, others, covid, kind)
    made = draw()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.npz")
    np.savez_compressed(unfinished, **vars(made))
    unfinished.rename(path)
    return made
