"""Chooses the slices that a report shows, and draws them with the outlines of the masks."""

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.measure import approximate_polygon, find_contours

from services.writers.heat import HALF, LINE_COLOUR, Heat, Plane, painted
from services.writers.source import Mask
from shared.imaging.volume import Volume

COUNT = 3
WINDOW_CENTER, WINDOW_WIDTH = -600.0, 1500.0
"""The lung window, in HU."""

LUNG_COLOUR, LESION_COLOUR = "#35c4e8", "#ff9d2e"
_WIDTH = 640
_MARGIN_MM = 22.0
_APART = 1 / 8


@dataclass(frozen=True)
class KeySlice:
    """One picture: of which slice, at what height (mm), and how wide (mm) it is."""

    index: int
    z_mm: float
    lesion_ml: float
    width_mm: float
    svg: bytes


def choose(lungs: Mask, amounts: NDArray[np.generic] | None = None) -> list[int]:
    """Three slices, ascending: with most to show, apart from each other; else spread over the lung.

    The mask is (z, y, x); `amounts` says of each slice how much there is to show.
    """
    lung_area = areas(lungs)
    if not lung_area.any():
        return sorted({len(lungs) // 4, len(lungs) // 2, 3 * len(lungs) // 4})
    spread = [_quantile(lung_area, part) for part in (0.5, 0.8, 0.2)]
    extent = np.flatnonzero(lung_area)
    apart = max(1, round((extent[-1] - extent[0]) * _APART))
    chosen: list[int] = []
    shown = np.zeros(len(lungs)) if amounts is None else np.asarray(amounts, np.float64)
    ranked = [int(z) for z in np.argsort(-shown, kind="stable") if shown[z] > 0]
    for z in (*ranked, *spread, *extent.tolist()):
        if len(chosen) < COUNT and all(abs(z - other) >= apart for other in chosen):
            chosen.append(z)
    return sorted(chosen)


def draw(
    ct: Volume, lungs: Mask, lesions: Mask | None = None, heat: Heat | None = None
) -> list[KeySlice]:
    """The key slices from head to feet, the patient's right on the left of each picture.

    They show most of the lesions, or of the heat.
    """
    headwards = ct.direction[8] > 0
    rows, columns = _frame(ct, lungs)
    pictures = []
    for z in sorted(choose(lungs, _amounts(ct, lesions, heat)), reverse=headwards):
        lesion = np.zeros_like(lungs[z]) if lesions is None else lesions[z]
        warm = np.zeros(lesion.shape, np.float32) if heat is None else heat.plane(ct, z)
        planes = (ct.array[z], lungs[z], lesion, warm)
        seen = [_upright(plane[rows, columns], ct) for plane in planes]
        pictures.append(
            KeySlice(
                index=z,
                z_mm=ct.origin[2] + z * ct.spacing[2] * ct.direction[8],
                lesion_ml=np.count_nonzero(lesion) * ct.voxel_ml,
                width_mm=seen[0].shape[1] * ct.spacing[0],
                svg=_svg(seen[0], seen[1], seen[2], seen[3], ct.spacing[:2]),
            )
        )
    return pictures


def _amounts(
    ct: Volume, lesions: Mask | None, heat: Heat | None
) -> NDArray[np.intp] | NDArray[np.float64] | None:
    if lesions is not None:
        return areas(lesions)
    return None if heat is None else heat.amounts(ct)


def areas(mask: Mask) -> NDArray[np.intp]:
    """Voxels in each slice; one slice at a time, since numpy copies what it counts along axes."""
    return np.array([np.count_nonzero(plane) for plane in mask], np.intp)


def _quantile(area: NDArray[np.intp], part: float) -> int:
    """The slice below which `part` of the lung lies."""
    return int(np.searchsorted(np.cumsum(area), part * area.sum()))


def _frame(ct: Volume, lungs: Mask) -> tuple[slice, slice]:
    """The same window of rows and columns for every picture: the lungs and a margin."""
    shadow = np.any(lungs, axis=0)
    if not shadow.any():
        return slice(0, shadow.shape[0]), slice(0, shadow.shape[1])
    return (
        _span(np.flatnonzero(shadow.any(axis=1)), _MARGIN_MM / ct.spacing[1], shadow.shape[0]),
        _span(np.flatnonzero(shadow.any(axis=0)), _MARGIN_MM / ct.spacing[0], shadow.shape[1]),
    )


def _span(found: NDArray[np.intp], margin: float, size: int) -> slice:
    return slice(max(0, int(found[0] - margin)), min(size, int(found[-1] + margin) + 1))


def _upright(plane: NDArray[np.generic], ct: Volume) -> NDArray[np.generic]:
    """Turn a plane so that x runs to the patient's left and y to the back."""
    plane = plane[:, ::-1] if ct.direction[0] < 0 else plane
    return plane[::-1] if ct.direction[4] < 0 else plane


def _svg(
    plane: NDArray[np.generic],
    lung: NDArray[np.generic],
    lesion: NDArray[np.generic],
    heat: NDArray[np.generic],
    spacing: tuple[float, float],
) -> bytes:
    """The picture in its true proportions, the outlines as curves over it."""
    rows, columns = plane.shape
    height = round(_WIDTH * rows * spacing[1] / (columns * spacing[0]))
    scale = (height / rows, _WIDTH / columns)
    warm = np.asarray(heat, np.float32)
    picture = b64encode(_png(plane, warm, (_WIDTH, height))).decode()
    warmest = (warm >= HALF).astype(np.uint8)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}">'
        f'<image width="{_WIDTH}" height="{height}" href="data:image/png;base64,{picture}"/>'
        f"{_outline(lung, scale, LUNG_COLOUR)}{_outline(lesion, scale, LESION_COLOUR, 0.28)}"
        f"{_outline(warmest, scale, LINE_COLOUR)}"
        "</svg>"
    ).encode()


def _png(plane: NDArray[np.generic], heat: Plane, size: tuple[int, int]) -> bytes:
    low = WINDOW_CENTER - WINDOW_WIDTH / 2
    grey = np.clip((plane.astype(np.float32) - low) / WINDOW_WIDTH, 0, 1) * 255
    picture = Image.fromarray(grey.round().astype(np.uint8), "L")
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    if heat.any():
        warm = Image.fromarray(heat, "F").resize(size, Image.Resampling.BILINEAR)
        picture = Image.fromarray(painted(np.asarray(picture), np.asarray(warm)), "RGB")
    buffer = BytesIO()
    picture.save(buffer, "PNG", compress_level=0)  # Typst compresses it, whatever it is given
    return buffer.getvalue()


def _outline(
    mask: NDArray[np.generic], scale: tuple[float, float], colour: str, fill: float = 0.0
) -> str:
    """The mask's border as one path; each label has a border of its own."""
    rings = []
    for value in np.unique(mask).tolist():
        if not value:
            continue
        padded = np.pad(mask == value, 1).astype(np.float32)
        for ring in find_contours(padded, 0.5):
            points = (approximate_polygon(ring, 0.35) - 0.5) * scale
            line = "L".join(f"{x:.1f} {y:.1f}" for y, x in points)
            rings.append(f"M{line}Z")
    if not rings:
        return ""
    return (
        f'<path d="{"".join(rings)}" fill="{colour}" fill-opacity="{fill}" fill-rule="evenodd" '
        f'stroke="{colour}" stroke-width="2.4" stroke-linejoin="round"/>'
    )
