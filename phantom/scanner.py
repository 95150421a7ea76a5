"""What the scanner adds: table and blankets, sharpness, noise, the circle of reconstruction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from phantom.canvas import Canvas, Field, Points, axes, mix, smooth_noise
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


def move(hu: Field, canvas: Canvas, recipe: Recipe, body: Build, below: Field) -> None:
    """Show heart and diaphragm at more than one place, as they were while the scan ran, in place.

    `below` is the signed distance to the diaphragm. The truth stays that of the middle place.
    """
    if recipe.heartbeat:
        centre, radii, _ = body.heart
        box = canvas.box(np.array([centre]), max(radii) + 24)
        if box is not None:
            _shake(hu[box], recipe.heartbeat, canvas.spacing)
    steps = round(recipe.breathing / canvas.spacing[0])
    if steps and hu.shape[0] > 2 * steps:
        near = np.exp(-((below * np.float32(1 / 26)) ** 2)) * np.float32(0.5)
        later = np.concatenate([hu[steps:], hu[-steps:]])
        mix(hu, near, later)


def _shake(part: Field, reach: float, spacing: tuple[float, float, float]) -> None:
    """Blend a box with itself moved aside, most in its middle."""
    windows = [np.sin(np.linspace(0, np.pi, n, dtype=np.float32)) for n in part.shape]
    weight = windows[0][:, None, None] * windows[1][None, :, None] * windows[2][None, None, :]
    moved = np.zeros_like(part)
    for sign in (-1.0, 1.0):
        shift = (0.0, sign * 0.6 * reach / spacing[1], sign * reach / spacing[2])
        moved += np.float32(0.5) * ndimage.shift(part, shift, order=1, mode="nearest")
    mix(part, np.sqrt(np.clip(weight, 0, 1)) * np.float32(0.65), moved)


def reconstruct(
    hu: Field, canvas: Canvas, recipe: Recipe, body: Build, skin: Field, metal: Points | None
) -> None:
    """Blur or sharpen as the kernel does, then add noise, streaks, shading and slices, in place."""
    rng = np.random.default_rng([recipe.seed, 12])
    pixel = canvas.spacing[1]
    if recipe.kernel == "soft":
        _blur(hu, recipe.blur / pixel)
        texture = 1.25 * recipe.blur / pixel
    else:
        smooth = hu.copy()
        _blur(smooth, max(1.1 / pixel, 0.5))
        hu += np.float32(recipe.overshoot) * (hu - smooth)
        texture = 0.35 / pixel
    hu += 3 * smooth_noise(rng, canvas.shape, canvas.spacing, 110.0)
    grain = rng.standard_normal(canvas.shape, dtype=np.float32)
    _blur(grain, max(texture, 0.35))
    shoulders = np.clip(canvas.z / np.float32(body.height) - np.float32(0.8), 0, 0.3) / 0.3
    if recipe.arms == "up":
        shoulders *= np.float32(0.5)
    level = 0.55 + 0.65 * np.clip(-skin * np.float32(1 / 90), 0, 1) + 0.5 * shoulders
    sigma = _through_plane(recipe)
    if sigma:
        for image in (hu, grain):
            ndimage.gaussian_filter1d(image, sigma, axis=0, output=image, truncate=3)
    grain *= level / grain.std()
    grain += shoulders * _streaks(rng, canvas)
    hu += np.float32(recipe.noise) * grain
    if metal is not None:
        _add_metal_streaks(hu, canvas, rng, metal)


def _through_plane(recipe: Recipe) -> float:
    """Standard deviation (voxels) of the blur by which slices are thicker than the grid's."""
    grid, pixel = recipe.spacing[0], recipe.spacing[1]
    own = 0.34 if grid > 1.3 * pixel else 0.0
    wide = max(recipe.slice_thickness**2 - grid**2, 0.0) / 12
    return float(np.hypot(own, np.sqrt(wide) / grid))


def _add_metal_streaks(hu: Field, canvas: Canvas, rng: np.random.Generator, metal: Points) -> None:
    """Rays of light and dark from each piece of metal, in its own slices."""
    _, y, x = axes(canvas.shape, canvas.spacing)
    for piece in canvas.voxels(metal):
        reach = 24.0 if len(metal) == 1 else 4.0
        low, high = (round(float(piece[0]) + sign * reach / canvas.spacing[0]) for sign in (-1, 1))
        low, high = max(low, 0), min(high + 1, canvas.shape[0])
        if low >= high:
            continue
        dy = y - y.ravel()[0] - np.float32(piece[1] * canvas.spacing[1])
        dx = x - x.ravel()[0] - np.float32(piece[2] * canvas.spacing[2])
        angle, far = np.arctan2(dy, dx), np.hypot(dy, dx)
        rays = np.zeros(angle.shape, np.float32)
        for waves in rng.integers(2, 15, 5):
            rays += np.sin(waves * angle + rng.uniform(0, 2 * np.pi)).astype(np.float32)
        fade = np.exp(far * np.float32(-1 / rng.uniform(25, 70)))
        hu[low:high] += np.float32(rng.uniform(40, 240)) * np.abs(rays) * rays * fade * 0.3


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
