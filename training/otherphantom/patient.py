"""The measures of one drawn patient, and where its voxels lie in the body."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.otherphantom.noise import fractal

Volume = NDArray[np.float32]
Kind = Literal["healthy", "covid", "nodules"]
LEFT, RIGHT = 1, 2


@dataclass(frozen=True)
class Patient:
    """Lengths in mm, densities in HU. Levels along the body: 0 is the right dome of the
    diaphragm, 1 the apex of the lungs."""

    kind: Kind
    height: float
    scale: float
    fat: float
    lung_hu: float
    contrast: float
    left_dome: float
    drop: float
    rib_pitch: float
    noise: float
    sharp: bool
    padding: int


@dataclass(frozen=True)
class Body:
    """Coordinates (mm) of each voxel in the bent body, z to the head, y to the back, x to the
    patient's left, all (z, y, x) arrays; `level` is z on the scale of the lungs."""

    x: Volume
    y: Volume
    z: Volume
    level: Volume
    spacing: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels (z, y, x)."""
        z, y, x = self.x.shape
        return z, y, x

    @property
    def edge(self) -> float:
        """Over how many mm a border is smeared."""
        return max(min(self.spacing), 1.0)

    def cover(self, margin: NDArray[np.floating]) -> Volume:
        """The share of each voxel inside a surface, from the mm that it lies within it."""
        return np.asarray(np.clip(margin / self.edge + 0.5, 0, 1), dtype=np.float32)


def patient_of(rng: np.random.Generator) -> Patient:
    """Anybody: about half have COVID-19."""
    kinds: list[Kind] = ["covid", "healthy", "nodules"]
    return Patient(
        kind=kinds[int(rng.choice(3, p=[0.5, 0.28, 0.22]))],
        height=float(rng.uniform(170, 225)),
        scale=float(rng.uniform(0.88, 1.1)),
        fat=float(rng.uniform(6, 38)),
        lung_hu=float(rng.uniform(-890, -780)),
        contrast=float(rng.choice([0, 0, rng.uniform(80, 280)])),
        left_dome=float(rng.uniform(-22, 2)),
        drop=float(rng.uniform(40, 75)),
        rib_pitch=float(rng.uniform(22, 27)),
        noise=float(rng.uniform(8, 38)),
        sharp=bool(rng.random() < 0.35),
        padding=int(rng.choice([-1000, -1000, -1024, -2000, -3024])),
    )


def body_of(
    patient: Patient,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
) -> Body:
    """Place the patient in the scan, turned, shifted and bent a little."""
    axes = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(shape, spacing, strict=True)]
    z, y, x = (a.astype(np.float32) for a in np.meshgrid(*axes, indexing="ij"))
    turn = np.deg2rad(rng.normal(0, 4))
    x, y = x - np.float32(rng.normal(0, 7)), y - np.float32(rng.normal(0, 7))
    x, y = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    x, y, z = (
        (axis + np.float32(2.2) * fractal(rng, shape, spacing, 70, octaves=2)).astype(np.float32)
        for axis in (x, y, z)
    )
    middle = patient.height * 0.38 + rng.normal(0, 15)
    z = z + np.float32(middle)
    return Body(x, y, z, (z / np.float32(patient.height)).astype(np.float32), spacing)
