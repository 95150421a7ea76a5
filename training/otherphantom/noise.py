"""Noise that looks alike at several sizes."""

import numpy as np
from numpy.typing import NDArray

Volume = NDArray[np.float32]


def fractal(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    size: float,
    octaves: int = 4,
) -> Volume:
    """Lattice noise of octaves from `size` mm downwards; mean 0, standard deviation about 1."""
    total = np.zeros(shape, np.float32)
    weight = 1.0
    for octave in range(octaves):
        step = size / 2**octave
        if step < 1.2 * min(spacing):
            break
        total += np.float32(weight) * _lattice(rng, shape, spacing, step)
        weight *= 0.6
    return np.asarray((total - total.mean()) / max(float(total.std()), 1e-6), np.float32)


def _lattice(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    step: float,
) -> Volume:
    """Random values every `step` mm, and a cubic spline between, axis by axis."""
    counts = [int(n * s / step) + 5 for n, s in zip(shape, spacing, strict=True)]
    field = rng.standard_normal(counts, dtype=np.float32)
    for n, s in zip(shape, spacing, strict=True):
        places = np.arange(n) * (s / step) + 1 + rng.random()
        # The axis done goes to the end: after three, all are where they were.
        field = np.tensordot(field, _spline(places, field.shape[0]), axes=(0, 1))
    return np.ascontiguousarray(field, dtype=np.float32)


def _spline(places: NDArray[np.floating], count: int) -> NDArray[np.float32]:
    """Uniform cubic B-spline as a matrix (places, lattice)."""
    first = np.floor(places).astype(int)
    f = places - first
    matrix = np.zeros((len(places), count), np.float32)
    weights = ((1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3)
    for offset, weight in enumerate(weights, start=-1):
        matrix[np.arange(len(places)), np.minimum(first + offset, count - 1)] += weight / 6
    return matrix
