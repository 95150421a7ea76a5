"""What the scanner adds: the table, blur, noise, and the circle that it reconstructs."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.otherphantom.patient import Body, Patient, Volume


def lay_table(hu: Volume, back: float, body: Body, rng: np.random.Generator) -> None:
    """Two thin curved shells and a mat, `back` mm behind the middle of the image."""
    shape = hu.shape
    _, y, x = (
        (np.arange(n) - (n - 1) / 2) * step for n, step in zip(shape, body.spacing, strict=True)
    )
    curve = y[:, None] - back + (x[None, :] / rng.uniform(25, 34)) ** 2
    wide = np.abs(x)[None, :] < rng.uniform(195, 235)
    gap = rng.uniform(14, 45)
    shells = ((0.0, 9.0, rng.uniform(-960, -880)), (9.0, 12.0, rng.uniform(-250, 150)))
    for start, end, value in (*shells, (12.0 + gap, 15.0 + gap, rng.uniform(-300, 100))):
        middle, half = (start + end) / 2, (end - start) / 2
        share = np.clip((half - np.abs(curve - middle)) / body.edge + 0.5, 0, 1) * wide
        hu += (share * (value - hu)).astype(np.float32)


def scanned(
    hu: Volume, body: Body, patient: Patient, depth: Volume, rng: np.random.Generator
) -> NDArray[np.int16]:
    """Blur, noise that grows with the body that rays pass, streaks at the shoulders, padding."""
    _, dy, dx = body.spacing
    width = 0.5 if patient.sharp else 1.1
    sharp = np.asarray(ndimage.gaussian_filter(hu, (0.4, width / dy, width / dx), truncate=2.5))
    grain = rng.standard_normal(hu.shape, dtype=np.float32)
    fine = 0.4 if patient.sharp else 1.3 / dy
    grain = np.asarray(ndimage.gaussian_filter(grain, (0, fine, fine), truncate=2.5))
    strength = 0.5 + np.clip(depth, 0, 110) / 130
    noisy = sharp + patient.noise * strength * grain / grain.std()
    lines = rng.standard_normal(hu.shape[:2], dtype=np.float32)[:, :, None]
    shoulders = np.clip((body.level - 0.85) / 0.15, 0, 1) * (depth > 0)
    noisy += 0.6 * patient.noise * shoulders * lines
    stored = np.clip(np.rint(noisy), -1024, 3071).astype(np.int16)
    rows, columns = (
        (np.arange(n) - (n - 1) / 2) * s for n, s in ((hu.shape[1], dy), (hu.shape[2], dx))
    )
    circle = np.hypot(rows[:, None], columns[None, :]) > min(rows.max(), columns.max()) + dy
    stored[:, circle] = patient.padding
    return np.asarray(stored)
