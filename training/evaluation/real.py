"""The real CT of this machine, and what is known of it. None of its patients had COVID-19."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from shared.imaging.volume import Volume
from training.config import ROOT
from training.evaluation.cases import LEFT, RIGHT, Case, Cases, Task
from training.evaluation.folder import read_ct, read_labels, read_mask
from training.evaluation.problem import BadInput

DATA = ROOT.parent / "shared" / "data"
KNOWN = Path(__file__).with_name("real.yaml")


def real_cases(task: Task, data: Path = DATA) -> Cases:
    """Those that have the truth of a task; for lesions and COVID-19 that is: none.

    Raises `BadInput` where this machine has no real CT.
    """
    if not data.is_dir():
        raise BadInput("no-real-data", f"{data} is not on this machine")
    known = described()
    names = [name for name in known if task != "lung" or "lungs" in known[name]]
    return Cases(tuple(partial(_case, name, known[name], task, data) for name in names))


def described() -> dict[str, dict[str, Any]]:
    """What `real.yaml` says, by series."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(KNOWN.read_text())
    return found


def _case(name: str, known: dict[str, Any], task: Task, data: Path) -> Case:
    ct = read_ct(data / known["ct"])
    lungs = known_lungs(known, ct, data)
    if task == "lung":
        return Case(name, ct, lungs, sides=True)
    return Case(
        name,
        ct,
        lungs,
        lesions=np.zeros(ct.array.shape, np.uint8),
        covid=False,
        apart=box_of(known["apart"], ct) if "apart" in known else None,
        kind="other",
    )


def known_lungs(known: dict[str, Any], ct: Volume, data: Path) -> NDArray[np.uint8] | None:
    """The supplied mask with its sides, where there is one."""
    if "lungs" not in known:
        return None
    inside = read_mask(data / known["lungs"], ct)
    regions = read_labels(data / known["labels"]["file"], ct) & 0xFF
    sides = np.zeros_like(inside)
    sides[np.isin(regions, known["labels"]["left"])] = LEFT
    sides[np.isin(regions, known["labels"]["right"])] = RIGHT
    return np.where(inside > 0, sides, 0).astype(np.uint8)


def box_of(box: dict[str, Any], ct: Volume) -> NDArray[np.bool_]:
    """The voxels (z, y, x) of an axial CT whose centres lie in a box (mm)."""
    within = np.ones(ct.array.shape, bool)
    for axis, name in enumerate("xyz"):
        steps = np.arange(ct.array.shape[2 - axis]) * ct.spacing[axis]
        places = ct.origin[axis] + ct.direction[4 * axis] * steps
        low, high = box[name]
        within &= np.expand_dims((places >= low) & (places <= high), _OTHERS[axis])
    return within


_OTHERS = ((0, 1), (0, 2), (1, 2))
"""The axes of an array besides that of x, of y, of z."""
