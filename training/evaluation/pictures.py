"""Draws what a model got wrong: of a segmentation the slice of the largest difference, with
outlines; of a classifier three slices of what it was shown, with its map.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from services.writers.heat import heat_of, painted
from training.evaluation.measure import Classified, Measured, Slice

TRUE, FOUND = (0, 220, 90), (255, 60, 60)
WINDOW_HU = (-1000.0, 400.0)
WIDTH, OF_THREE = 640, 960


def draw_worst(measured: Sequence[Measured], folder: Path) -> list[Path]:
    """One PNG per case; of masks green is the truth, red what was found."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for rank, each in enumerate(measured, start=1):
        if isinstance(each.shown, Slice):
            image, told = _outlined(each.shown), f"slice {each.shown.z}: green true, red found"
        elif isinstance(each.shown, Classified):
            image, told = _heated(each.shown), _answer(each.figures)
        else:
            continue
        said = f"{each.name}, {told}".encode("ascii", "replace").decode()
        ImageDraw.Draw(image).text((8, 8), said, (255, 255, 255))
        path = folder / f"{rank:02d}-{re.sub(r'[^A-Za-z0-9]+', '-', each.name)}.png"
        image.save(path)
        paths.append(path)
    return paths


def _outlined(worst: Slice) -> Image.Image:
    image = _sized(worst)
    for mask, colour in ((worst.truth, TRUE), (worst.found, FOUND)):
        large = np.asarray(Image.fromarray((mask > 0).astype(np.uint8)).resize(image.size, 0)) > 0
        pixels = np.asarray(image).copy()
        pixels[large & ~ndimage.binary_erosion(large)] = colour
        image = Image.fromarray(pixels)
    return image


def _heated(seen: Classified) -> Image.Image:
    """Slices at a quarter, half and three quarters of the crop, from the feet up, side by side."""
    heat = heat_of(seen.saliency)
    slices = []
    for quarter in (1, 2, 3):
        z = quarter * len(seen.crop.array) // 4
        grey = _grey(seen.crop.array[z])
        plane = np.zeros(grey.shape, np.float32) if heat is None else heat.plane(seen.crop, z)
        slices.append(painted(grey, plane))
    row = np.concatenate(slices, axis=1)
    _, high, wide = seen.crop.array.shape
    x, y, _ = seen.crop.spacing
    return Image.fromarray(row).resize((OF_THREE, round(OF_THREE / 3 * high * y / (wide * x))))


def _answer(figures: Mapping[str, float]) -> str:
    truth = "shows COVID-19" if figures["covid"] else "does not show COVID-19"
    return f"{truth}: probability {figures['probability']:.2f}"


def _grey(hu: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = WINDOW_HU
    return (np.clip((hu.astype(np.float64) - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _sized(worst: Slice) -> Image.Image:
    grey = _grey(worst.hu)
    rows, columns = grey.shape
    x, y = worst.pixel_mm
    height = round(WIDTH * rows * y / (columns * x))
    return Image.fromarray(grey).convert("RGB").resize((WIDTH, height))
