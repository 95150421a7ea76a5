"""Lesions put into real lungs, so that their truth is known: a measure, never training data.

Tissue is only added, as disease adds it: the HU of a lesion replaces what is less dense, so that
vessels stay. The CT's own texture, its difference from its smooth part, is laid over it again.
"""

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from shared.imaging.volume import Volume
from shared.inference.port import Inference
from training.evaluation.cases import Case, Cases, Task
from training.evaluation.folder import read_ct
from training.evaluation.measure import labels
from training.evaluation.problem import BadInput
from training.evaluation.real import DATA, box_of, described, known_lungs

SERIES = ("lung-masks", "chest-ct-real/cmb_crc_01068", "chest-ct-real/lung_dx_a0001_soft")
"""One of each patient."""
LOOKS = ("ground glass", "mixed", "consolidation", "dense at the pleura")
CROWN_MM = 9.0
"""How deep a lesion at the pleura may begin."""

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Host:
    """A real CT, and where in its lungs lesions are put and judged."""

    name: str
    ct: Volume
    lungs: Mask


def implanted_cases(
    task: Task, count: int, model: str, inference: Inference, data: Path = DATA
) -> Cases:
    """`count` cases, taking turns among the patients.

    For lesions the truth is what was put in. For lungs it is what `model` finds without lesions:
    how much they sway it. Raises `BadInput` without real CT, and for a task that has no truth.
    """
    if task == "class":
        raise BadInput("no-truth", "implants are for the tasks lung and lesion")
    if not data.is_dir():
        raise BadInput("no-real-data", f"{data} is not on this machine")
    host = cache(partial(host_of, data=data))

    @cache
    def before(name: str) -> NDArray[np.uint8]:
        return labels(host(name).ct, model, inference)

    def make(number: int) -> Case:
        found = host(SERIES[number % len(SERIES)])
        seed = number // len(SERIES)
        ct, lesions = implant(found.ct, found.lungs, seed)
        name = f"{found.name} with implants {seed}"
        if task == "lung":
            return Case(name, ct, before(found.name), True, kind=found.name)
        return Case(name, ct, found.lungs, False, lesions, kind=found.name)

    return Cases(tuple(partial(make, number) for number in range(count)))


def host_of(name: str, data: Path = DATA) -> Host:
    """A real series with the mask that came with it, or else one made by thresholds."""
    known = described()[name]
    whole = read_ct(data / known["ct"])
    lungs = known_lungs(known, whole, data)
    ct = _coarser(whole)
    inside = lungs_by_threshold(ct) if lungs is None else lungs > 0
    # A disease that is there already has no mask: nothing is judged near it.
    return Host(name, ct, inside & ~box_of(known["apart"], ct) if "apart" in known else inside)


def _coarser(ct: Volume) -> Volume:
    """Averaged in the plane to pixels of up to 2 mm: models see 3 mm, and all goes faster."""
    dx, dy, dz = ct.spacing
    by = max(int(2.0 / max(dx, dy)), 1)
    z, y, x = (n // f for n, f in zip(ct.array.shape, (1, by, by), strict=True))
    blocks = np.asarray(ct.array)[:, : y * by, : x * by].reshape(z, y, by, x, by)
    axes = np.asarray(ct.direction).reshape(3, 3)
    first = np.asarray(ct.origin) + axes @ (np.array([dx, dy, 0.0]) * (by - 1) / 2)
    return Volume(
        np.rint(blocks.mean(axis=(2, 4))).astype(np.int16),
        (dx * by, dy * by, dz),
        (float(first[0]), float(first[1]), float(first[2])),
        ct.direction,
    )


def lungs_by_threshold(ct: Volume) -> Mask:
    """What holds air within the body, and the vessels between; a plain reference, no model's.

    Trachea and gas of the bowel are small and left out; what is dense and borders on the chest
    wall or the heart is left out too.
    """
    step = np.array(ct.spacing[::-1])
    air = np.asarray(ct.array) < -400
    inner = air & _body(np.asarray(ct.array), step)
    # Airways hang on thin stalks: opened by 5 mm they come off.
    opened = _grown(~_grown(~inner, 5.0, step), 5.0, step) & inner
    parts, count = ndimage.label(opened)
    if not count:
        raise BadInput("no-lungs", "no air within the body")
    sizes = np.bincount(parts.ravel())[1:] * ct.voxel_ml
    large = np.isin(parts, 1 + np.flatnonzero(sizes > max(300.0, 0.2 * sizes.max())))
    closed = ~_grown(~_grown(large, 6.0, step), 6.0, step)
    return np.asarray(ndimage.binary_fill_holes(closed | large))


def _body(hu: NDArray[np.generic], step: NDArray[np.float64]) -> Mask:
    """The patient with all hollows; thin shells of a table come off and are left out."""
    solid = np.asarray(hu) > np.float32(-400)
    parts, _ = ndimage.label(~_grown(~solid, 4.0, step))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    whole = _grown(parts == sizes.argmax(), 5.0, step)
    return np.stack([np.asarray(ndimage.binary_fill_holes(plane)) for plane in whole])


def _grown(mask: Mask, millimetres: float, step: NDArray[np.float64]) -> Mask:
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=step) <= millimetres)


def implant(ct: Volume, lungs: Mask, seed: int) -> tuple[Volume, NDArray[np.uint8]]:
    """The CT with some lesions in its lungs, and their mask; the same seed gives the same."""
    rng = np.random.default_rng([seed, 31])
    hu = np.asarray(ct.array, dtype=np.float32)
    step = np.array(ct.spacing[::-1])
    depth = ndimage.distance_transform_edt(lungs, sampling=step).astype(np.float32)
    changed, truth = hu.copy(), np.zeros(lungs.shape, bool)
    for look in (LOOKS[seed % len(LOOKS)], *rng.choice(LOOKS, int(rng.integers(1, 6)))):
        _add(changed, truth, depth, str(look), step, rng)
    grain = hu - ndimage.gaussian_filter(hu, 1.5 / step)
    # Of edges of vessels and pleura the residue is no texture.
    changed += np.where(truth, np.clip(grain, -60, 60) * (changed > hu + 20), 0)
    typed = np.clip(np.rint(changed), -1024, 3071).astype(np.asarray(ct.array).dtype)
    return ct.like(np.where(truth, typed, ct.array)), truth.astype(np.uint8)


def _add(
    hu: Floats,
    truth: Mask,
    depth: Floats,
    look: str,
    step: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """One lesion, in place: an ellipsoid with a ragged border, cut by the lung's own."""
    pleural = look == LOOKS[3]
    shell = (depth > 0) & (depth < CROWN_MM) if pleural or rng.random() < 0.6 else depth > CROWN_MM
    places = np.argwhere(shell)
    if not len(places):
        return
    centre = places[rng.integers(len(places))]
    radii = float(np.exp(rng.uniform(np.log(10), np.log(38)))) * rng.uniform(0.7, 1.3, 3)
    reach = np.ceil(1.6 * radii / step).astype(int) + 1
    low, high = np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, hu.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    grid = np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij")
    far = np.sqrt(
        sum(((g - c) * s / r) ** 2 for g, c, s, r in zip(grid, centre, step, radii, strict=True))
    )
    rough = _rough(far.shape, step, 9.0, rng)
    inside = 1 - far + 0.3 * rough
    part = (inside > 0) & (depth[box] > 0)
    wanted = _density(look, inside, rough, rng)
    fade = np.clip(inside / 0.15, 0, 1)
    shade = hu[box] + fade * np.maximum(wanted - hu[box], 0)
    hu[box] = np.where(part, shade, hu[box])
    truth[box] |= part


def _density(look: str, inside: Floats, rough: Floats, rng: np.random.Generator) -> Floats:
    glass = rng.uniform(-650, -400) + 50 * rough
    solid = rng.uniform(-60, 45) + 25 * rough
    if look == "ground glass":
        return np.asarray(glass, dtype=np.float32)
    if look == "mixed":
        core = np.clip((inside - rng.uniform(0.25, 0.5) + 0.3 * rough) / 0.15, 0, 1)
        return np.asarray(glass + core * (solid - glass), dtype=np.float32)
    return np.asarray(solid, dtype=np.float32)


def _rough(
    shape: tuple[int, ...], step: NDArray[np.float64], millimetres: float, rng: np.random.Generator
) -> Floats:
    field = ndimage.gaussian_filter(rng.standard_normal(shape), millimetres / 2 / step)
    return np.asarray(field / max(float(field.std()), 1e-6), dtype=np.float32)
