"""What the scanner adds: table and blankets, sharpness, noise, the circle of reconstruction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from phantom.canvas import Canvas, Field, axes, mix, smooth_noise
from phantom.recipe import Recipe
from phantom.thorax import Build


def draw_table(hu: Field, canvas: Canvas, recipe: Recipe, body: Build) -> None:
    """A cradle with a dense shell round foam, and a mattress; it does not turn with the patient."""
    rng = np.random.default_rng([recipe.seed, 10])
    _, y, x = axes(canvas.shape, canvas.spacing)
    back = recipe.offset[0] + body.depth + body.muscle + body.fat + 8 + float(rng.uniform(0, 8))
    curve = float(rng.choice([0.0, 1 / 1100, 1 / 800, 1 / 600]))
    under = (y - np.float32(back) + np.float32(curve) * x * x).astype(np.float32)
    wide, thick = float(rng.uniform(190, 260)), float(rng.uniform(16, 55))
    pad = float(rng.uniform(4, 22))
    beside = np.abs(x) - np.float32(wide)
    mattress = np.maximum(np.abs(under - pad / 2) - pad / 2, beside)
    slab = np.maximum(np.abs(under - pad - thick / 2) - thick / 2, beside)
    mix(hu, canvas.soft(mattress), float(rng.uniform(-985, -860)))
    mix(hu, canvas.soft(slab), float(rng.uniform(-600, 60)))
    mix(hu, canvas.soft(slab + float(rng.uniform(1.5, 3.5))), float(rng.uniform(-985, -820)))


def draw_blanket(hu: Field, canvas: Canvas, recipe: Recipe, skin: Field) -> None:
    """Folded cloth over the front; `skin` is the signed distance to the body's surface."""
    rng = np.random.default_rng([recipe.seed, 11])
    folds = smooth_noise(rng, canvas.shape, canvas.spacing, 42.0)
    sheet = np.abs(skin - 10 - 8 * folds) - float(rng.uniform(0.8, 2.5))
    mix(hu, canvas.soft(np.maximum(sheet, canvas.y - 40)), float(rng.uniform(-900, -450)))


def reconstruct(hu: Field, canvas: Canvas, recipe: Recipe, body: Build, skin: Field) -> None:
    """Blur or sharpen as the kernel does, then add noise and shading, in place."""
    rng = np.random.default_rng([recipe.seed, 12])
    pixel = canvas.spacing[1]
    if canvas.spacing[0] > 1.3 * pixel:
        ndimage.gaussian_filter1d(hu, 0.34, axis=0, output=hu, truncate=3)
    if recipe.kernel == "soft":
        _blur(hu, 0.75 / pixel)
        texture = 0.95 / pixel
    else:
        smooth = hu.copy()
        _blur(smooth, max(1.1 / pixel, 0.5))
        hu += np.float32(0.8) * (hu - smooth)
        texture = 0.35 / pixel
    hu += 3 * smooth_noise(rng, canvas.shape, canvas.spacing, 110.0)
    grain = rng.standard_normal(canvas.shape, dtype=np.float32)
    _blur(grain, max(texture, 0.35))
    grain /= grain.std()
    shoulders = np.clip(canvas.z / np.float32(body.height) - np.float32(0.8), 0, 0.3) / 0.3
    grain *= 0.55 + 0.65 * np.clip(-skin * np.float32(1 / 90), 0, 1) + 0.5 * shoulders
    grain += shoulders * _streaks(rng, canvas)
    hu += np.float32(recipe.noise) * grain


def _streaks(rng: np.random.Generator, canvas: Canvas) -> Field:
    """Photon starvation through the shoulders: noise drawn out from side to side."""
    streaks = rng.standard_normal(canvas.shape, dtype=np.float32)
    ndimage.gaussian_filter1d(streaks, 26 / canvas.spacing[2], axis=2, output=streaks, truncate=2)
    return np.asarray(streaks / streaks.std(), dtype=np.float32)


def _blur(image: Field, sigma: float) -> None:
    """Gaussian of `sigma` voxels within each slice, in place."""
    if sigma > 0.25:
        for axis in (1, 2):
            ndimage.gaussian_filter1d(image, sigma, axis=axis, output=image, truncate=3)


def digitize(hu: Field, recipe: Recipe) -> NDArray[np.int16]:
    """Round to what twelve bits hold, and blank what lies outside the circle."""
    stored = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    if recipe.padding is not None:
        _, y, x = axes(recipe.shape, recipe.spacing)
        reach = min(recipe.shape[1] * recipe.spacing[1], recipe.shape[2] * recipe.spacing[2]) / 2
        stored[:, np.hypot(x, y)[0] > reach] = recipe.padding
    return stored
