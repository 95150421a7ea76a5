"""Opacities of COVID-19 and nodules, and lungs that have neither."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.otherphantom.noise import fractal
from training.otherphantom.patient import Body, Patient, Volume

Mask = NDArray[np.bool_]


def infect(tissue: Volume, lungs: Mask, body: Body, rng: np.random.Generator) -> Mask:
    """Ground glass and consolidation, mostly at the pleura, below and behind; in place.

    Fractal noise, raised near the pleura, is cut where the wanted share of the lung is above.
    """
    share = float(np.exp(rng.uniform(np.log(0.008), np.log(0.35))))
    score = _likely(lungs, body, rng)
    sick = _top(score, lungs, share)
    if not sick.any():
        return sick
    soft = ndimage.gaussian_filter(sick.astype(np.float32), 0.6)
    glass = rng.uniform(-620, -330)
    web = fractal(rng, body.shape, body.spacing, 9, 2)
    shade = glass + 55 * web + 45 * fractal(rng, body.shape, body.spacing, 40, 3)
    tissue += np.clip(soft, 0, 1) * np.maximum(shade - tissue, 0)
    dense = _top(score + 0.5 * web, sick, float(rng.beta(0.7, 1.6)) * 0.8)
    solid = ndimage.gaussian_filter(dense.astype(np.float32), 0.6)
    # Bronchi stay open in what is consolidated.
    open_still = np.clip(2 * (np.abs(fractal(rng, body.shape, body.spacing, 14, 2)) - 0.1), 0.4, 1)
    tissue += np.clip(solid, 0, 1) * open_still * np.maximum(rng.uniform(-60, 50) - tissue, 0)
    return sick


def _likely(lungs: Mask, body: Body, rng: np.random.Generator) -> Volume:
    depth = np.asarray(ndimage.distance_transform_edt(lungs, sampling=body.spacing))
    rough = fractal(rng, body.shape, body.spacing, float(rng.uniform(35, 75)), octaves=4)
    rim = rng.uniform(0.4, 2.2) * np.exp(-depth / rng.uniform(8, 25))
    low = rng.uniform(0, 0.9) * (0.5 - body.level)
    behind = rng.uniform(0, 0.012) * body.y
    side = rng.choice([0, 0, 0, rng.normal(0, 0.02)]) * body.x
    return np.asarray(rough + rim + low + behind + side, dtype=np.float32)


def _top(score: Volume, of: Mask, share: float) -> Mask:
    """The highest share of a region, specks left out."""
    if not of.any():
        return np.zeros_like(of)
    cut = of & (score > np.quantile(score[of], 1 - share))
    parts, count = ndimage.label(cut)
    large = np.bincount(parts.ravel(), minlength=count + 1) >= 6
    large[0] = False
    return np.asarray(large[parts])


def add_nodules(tissue: Volume, lungs: Mask, body: Body, rng: np.random.Generator) -> None:
    """One to eight rough balls of soft tissue, in place."""
    places = np.argwhere(lungs)
    rough = fractal(rng, body.shape, body.spacing, 16, 3)
    steps = np.array(body.spacing)
    for place in places[rng.choice(len(places), int(rng.integers(1, 9)))] if len(places) else ():
        radius = float(np.exp(rng.uniform(np.log(4), np.log(22))))
        reach = np.ceil((radius * 1.5 + 3) / steps).astype(int)
        low, high = np.maximum(place - reach, 0), np.minimum(place + reach + 1, tissue.shape)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        z, y, x = (
            ((np.arange(a, b) - p) * s) ** 2
            for a, b, p, s in zip(low, high, place, steps, strict=True)
        )
        distance = np.sqrt(z[:, None, None] + y[None, :, None] + x[None, None, :])
        inside = body.cover(np.asarray(radius * (1 + 0.13 * rough[box]) - distance, np.float32))
        part = tissue[box]
        part += inside * np.maximum(rng.uniform(10, 70) - part, 0)


def lung_tissue(body: Body, patient: Patient, rng: np.random.Generator) -> Volume:
    """Parenchyma: denser where it hangs down, finely mottled."""
    mottle = fractal(rng, body.shape, body.spacing, 18, octaves=3)
    slope = np.float32(rng.uniform(0.1, 0.6))
    return (np.float32(patient.lung_hu) + slope * body.y + 14 * mottle).astype(np.float32)
