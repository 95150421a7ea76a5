"""What a phantom is to show: every knob of a procedural chest CT, in millimetres and HU."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

Kind = Literal["covid", "lobar", "tumour", "healthy"]


@dataclass(frozen=True)
class Recipe:
    """One chest CT. The same recipe gives the same voxels; the seed decides what it leaves open.

    All lengths are millimetres of the patient, so one seed shows the same anatomy at any spacing;
    noise, texture and the ragged borders of lesions do depend on the grid.
    """

    seed: int = 0
    shape: tuple[int, int, int] = (64, 256, 256)
    """Voxels (z, y, x); z runs to the head, y to the back, x to the patient's left."""
    spacing: tuple[float, float, float] = (5.0, 1.5, 1.5)
    """Distance of voxel centres (z, y, x) in mm."""

    kind: Kind = "covid"
    lesions: int = 6
    """How many opacities (covid) or tumours; 0 is a healthy chest whatever the kind."""
    density: float = 0.4
    """Share of the covid opacities that are consolidated instead of ground glass, 0 to 1."""

    scale: float = 1.0
    """Size of the skeleton; 1 is an adult of medium height."""
    fat: float = 18.0
    """Thickness of the fat under the skin, mm."""
    lung_hu: float = -850.0
    contrast: float = 0.0
    """What a contrast agent adds to blood, HU."""
    emphysema: float = 0.0
    """Share of the lung that is destroyed, 0 to 1."""
    arms: Literal["up", "down"] = "up"
    breasts: bool = False

    roll: float = 0.0
    """Turn of the patient about the long axis, degrees."""
    offset: tuple[float, float] = (0.0, 0.0)
    """Where the body's axis lies in the image (y, x), mm from the centre."""
    level: float = 0.0
    """How far the scan is shifted to the head against one that is centred on the lungs, mm."""
    table: bool = True
    blanket: bool = False
    padding: int | None = None
    """Value outside the scanner's circle of reconstruction; None when that is measured too."""

    noise: float = 12.0
    """Standard deviation of the noise, HU."""
    kernel: Literal["soft", "sharp"] = "soft"

    @property
    def covid(self) -> bool:
        return self.kind == "covid" and self.lesions > 0

    def healthy(self) -> Self:
        """The same patient without any lesion."""
        return replace(self, kind="healthy", lesions=0)

    @classmethod
    def random(
        cls,
        seed: int,
        spacing: tuple[float, float, float] = (4.0, 4.0, 4.0),
        shape: tuple[int, int, int] = (80, 96, 96),
    ) -> Self:
        """A recipe that varies everything, for training: about half of them show COVID-19."""
        rng = np.random.default_rng([seed, 0])
        kind = _choose(rng, {"covid": 0.5, "healthy": 0.2, "lobar": 0.15, "tumour": 0.15})
        counts = {"covid": int(1 + rng.geometric(0.1)), "tumour": int(rng.integers(1, 4))}
        extent = shape[0] * spacing[0]
        cut = rng.random() < 0.35
        return cls(
            seed=seed,
            shape=shape,
            spacing=spacing,
            kind=kind,
            lesions=min(counts.get(kind, int(kind == "lobar")), 25),
            density=float(rng.beta(0.8, 1.0)),
            scale=float(rng.uniform(0.85, 1.12)),
            fat=float(rng.gamma(3.0, 6.5) + 3.0),
            lung_hu=float(rng.uniform(-920.0, -750.0)),
            contrast=float(rng.choice([0.0, 0.0, rng.uniform(60.0, 320.0)])),
            emphysema=float(rng.choice([0.0, 0.0, 0.0, rng.uniform(0.02, 0.3)])),
            arms="down" if rng.random() < 0.2 else "up",
            breasts=bool(rng.random() < 0.45),
            roll=float(rng.normal(0.0, 4.0)),
            offset=(float(rng.normal(0.0, 10.0)), float(rng.normal(0.0, 8.0))),
            level=float(rng.uniform(-0.35, 0.35) * extent if cut else rng.normal(0.0, 12.0)),
            table=bool(rng.random() < 0.9),
            blanket=bool(rng.random() < 0.5),
            padding=_padding(rng),
            noise=float(rng.gamma(2.0, 9.0) + 3.0),
            kernel="sharp" if rng.random() < 0.3 else "soft",
        )


def _choose(rng: np.random.Generator, odds: dict[Kind, float]) -> Kind:
    kinds = list(odds)
    return kinds[int(rng.choice(len(kinds), p=list(odds.values())))]


def _padding(rng: np.random.Generator) -> int | None:
    """Values that scanners write where they measured nothing."""
    return [None, None, -1024, -2000, -3024, -1500][int(rng.integers(6))]
