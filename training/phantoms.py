"""Phantoms drawn once, by several processes, and kept as arrays in a cache folder."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

import phantom
from phantom import Recipe, draw
from shared.imaging.volume import Volume
from training.config import Phantoms

CACHE = Path.home() / ".cache" / "clarion-training" / "phantoms"
"""Where drawn phantoms are kept, for training, threshold and gate alike."""

FIRST_HELD_OUT = 1_000_000
"""Seeds from here on are never trained on."""

Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """One phantom, each array (z, y, x); `spacing` (z, y, x) in mm.

    `hu`; `lungs` 1 left, 2 right; `lesions` pneumonia; `others` tumours and what looks like
    pneumonia and is none.
    """

    hu: NDArray[np.int16]
    lungs: Mask
    lesions: Mask
    others: Mask
    kind: str
    covid: bool
    spacing: tuple[float, float, float]

    @property
    def clear(self) -> bool:
        """Whether its class can be seen: a scan may end above nearly all of the opacities."""
        return self.covid or self.kind != "covid" or not self.lesions.any()

    def on_grid(self, array: NDArray[np.generic]) -> Volume:
        z, y, x = self.spacing
        return Volume(array, (x, y, z))


def train_seeds(phantoms: Phantoms) -> range:
    return range(phantoms.train)


def draw_missing(
    cache: Path, phantoms: Phantoms, seeds: range, processes: int
) -> Iterator[tuple[int, int]]:
    """Draw what the cache lacks; gives (done, all) after each phantom."""
    missing = [seed for seed in seeds if not path_of(cache, phantoms, seed).exists()]
    with ProcessPoolExecutor(processes) as pool:
        drawn = pool.map(partial(_draw, cache, phantoms), missing, chunksize=4)
        for done, _ in enumerate(drawn, 1):
            yield done, len(missing)


def path_of(cache: Path, phantoms: Phantoms, seed: int) -> Path:
    """Phantoms of another grid, or drawn by other code, lie in another folder."""
    grid = "x".join(f"{value:g}" for value in (*phantoms.spacing, *phantoms.shape))
    return cache / f"{grid}-{drawing_code(phantom)}" / f"{seed:08d}.npz"


@lru_cache
def drawing_code(package: ModuleType) -> str:
    """A digest of the code that draws: what an older one drew is not taken for the newer's."""
    sources = sorted(Path(str(package.__file__)).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def load(cache: Path, phantoms: Phantoms, seed: int) -> Case:
    with np.load(path_of(cache, phantoms, seed)) as stored:
        return Case(
            hu=stored["hu"],
            lungs=stored["lungs"],
            lesions=stored["lesions"],
            others=stored["others"],
            kind=str(stored["kind"]),
            covid=bool(stored["covid"]),
            spacing=phantoms.spacing,
        )


def _draw(cache: Path, phantoms: Phantoms, seed: int) -> None:
    recipe = Recipe.random(seed, spacing=phantoms.spacing, shape=phantoms.shape)
    drawn = draw(recipe)
    path = path_of(cache, phantoms, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.npz")
    np.savez(
        unfinished,
        hu=drawn.hu,
        lungs=drawn.lungs,
        lesions=drawn.lesions,
        others=drawn.tumours | drawn.doubtful,
        kind=recipe.kind,
        covid=drawn.covid,
    )
    unfinished.rename(path)
