"""Draws what a segmentation got wrong: the slice of the largest difference, with outlines."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from shared.imaging.volume import Volume
from training.evaluation.measure import Measured
from training.evaluation.overlap import Mask

TRUE, FOUND = (0, 220, 90), (255, 60, 60)
WINDOW_HU = (-1000.0, 400.0)
WIDTH = 640


def draw_worst(measured: Sequence[Measured], folder: Path) -> list[Path]:
    """One PNG per case that has masks; green is the truth, red what was found."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _draw(rank, each, each.found, each.truth, folder)
        for rank, each in enumerate(measured, start=1)
        if each.found is not None and each.truth is not None
    ]


def _draw(rank: int, each: Measured, found: Mask, truth: Mask, folder: Path) -> Path:
    wrong = np.count_nonzero(np.not_equal(found, truth), axis=(1, 2))
    z = int(np.argmax(wrong))
    image = _slice(each.case.ct, z)
    for mask, colour in ((truth[z], TRUE), (found[z], FOUND)):
        large = np.asarray(Image.fromarray((mask > 0).astype(np.uint8)).resize(image.size, 0)) > 0
        pixels = np.asarray(image).copy()
        pixels[large & ~ndimage.binary_erosion(large)] = colour
        image = Image.fromarray(pixels)
    told = f"{each.case.name}, slice {z}: green true, red found"
    ImageDraw.Draw(image).text((8, 8), told.encode("ascii", "replace").decode(), (255, 255, 255))
    path = folder / f"{rank:02d}-{re.sub(r'[^A-Za-z0-9]+', '-', each.case.name)}.png"
    image.save(path)
    return path


def _slice(ct: Volume, z: int) -> Image.Image:
    low, high = WINDOW_HU
    hu: NDArray[np.float64] = np.asarray(ct.array[z], dtype=np.float64)
    grey = (np.clip((hu - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    rows, columns = grey.shape
    height = round(WIDTH * rows * ct.spacing[1] / (columns * ct.spacing[0]))
    return Image.fromarray(grey).convert("RGB").resize((WIDTH, height))
