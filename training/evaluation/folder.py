"""Cases in a folder: each CT as DICOM or one file, with its truth beside it.

For a case `NAME` the CT is the folder `NAME/` of DICOM files or one of `NAME.mha`, `NAME.nrrd`,
`NAME.nii`, `NAME.nii.gz`, `NAME.mhd`. Its truth is `NAME.mask.EXT`, `NAME-label.EXT` or
`NAME_mask.EXT`; `NAME.lungs.EXT` beside it tells where lesions count. `labels.csv` holds the
columns `case,covid` for the classifier.
"""

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from shared.errors import InputRejected
from shared.imaging.resample import oriented_as, same_grid
from shared.imaging.volume import Volume, from_sitk
from shared.imaging.volume import read as read_metaimage
from training.evaluation.cases import Case, Cases, Mask, Task
from training.evaluation.problem import BadInput

SUFFIXES = (".mha", ".mhd", ".nrrd", ".nii.gz", ".nii")
TRUTH = (".mask", "-label", "_mask", "-mask", "_label")
LUNGS = (".lungs", "-lungs", "_lungs")
YES, NO = {"1", "yes", "true"}, {"0", "no", "false"}


def cases_in(folder: Path, task: Task, values: frozenset[int] | None) -> Cases:
    """Every case of a folder. `values` are the mask's labels that count; None takes any above 0.

    Raises `BadInput` where there is no case, or where one lacks its truth.
    """
    if not folder.is_dir():
        raise BadInput("no-such-folder", f"{folder} is no folder")
    covid = _read_table(folder / "labels.csv") if task == "class" else {}
    makers = [_maker(folder, ct, task, values, covid) for ct in _ct_paths(folder)]
    if not makers:
        raise BadInput("no-case", f"{folder} holds neither DICOM folders nor {' '.join(SUFFIXES)}")
    return Cases(tuple(makers))


def read_ct(path: Path) -> Volume:
    """A CT in HU. DICOM is read by the pipeline's own reader, with its refusals."""
    if path.is_dir():
        return _read_dicom(path)
    return from_sitk(_read_image(path))


def read_mask(path: Path, ct: Volume, values: frozenset[int] | None = None) -> NDArray[np.uint8]:
    """A mask (z, y, x) of 0 and 1. Raises `BadInput` where it lies on another grid than its CT."""
    found = read_labels(path, ct)
    chosen = found > 0 if values is None else np.isin(found, sorted(values))
    return np.asarray(chosen, dtype=np.uint8)


def read_labels(path: Path, ct: Volume) -> NDArray[Any]:
    """A mask's own values (z, y, x) in the order of its CT. Raises as `read_mask` does.

    A file may hold the same voxels in another order, as dcm2niix stores rows from back to front.
    """
    mask = from_sitk(_read_image(path))
    try:
        turned = oriented_as(mask, ct)
    except ValueError:
        turned = mask
    if not same_grid(turned, ct):
        raise BadInput(
            "grids-differ",
            f"{path.name} is {_grid(mask)}, its CT {_grid(ct)}; resample the mask, not the CT",
        )
    return turned.array


def name_of(path: Path) -> str:
    """The case that a file or folder belongs to, its ending left out."""
    suffix = next((s for s in SUFFIXES if path.name.endswith(s)), "")
    return path.name[: len(path.name) - len(suffix)]


def _ct_paths(folder: Path) -> list[Path]:
    def is_ct(path: Path) -> bool:
        if path.is_dir():
            return not path.name.startswith(".") and any(path.iterdir())
        return path.name.endswith(SUFFIXES) and not name_of(path).endswith((*TRUTH, *LUNGS))

    return sorted(path for path in folder.iterdir() if is_ct(path))


def _maker(
    folder: Path,
    ct: Path,
    task: Task,
    values: frozenset[int] | None,
    covid: dict[str, bool],
) -> Callable[[], Case]:
    """What reads a case later; that its truth is there is looked up now."""
    name = name_of(ct)
    if task == "class":
        if name not in covid:
            raise BadInput("label-missing", f"labels.csv has no row for {name}")
        return partial(_classified, ct, _beside(folder, name, LUNGS), covid[name])
    truth = _beside(folder, name, TRUTH)
    if truth is None:
        wanted = ", ".join(f"{name}{mark}.nii.gz" for mark in TRUTH[:2])
        raise BadInput("mask-missing", f"{name} has no mask: looked for {wanted}, and so on")
    lungs = _beside(folder, name, LUNGS)
    return partial(_segmented, ct, truth, lungs, task, values)


def _segmented(
    path: Path, truth: Path, lungs: Path | None, task: Task, values: frozenset[int] | None
) -> Case:
    ct = read_ct(path)
    mask = read_mask(truth, ct, values)
    if task == "lung":
        return Case(name_of(path), ct, lungs=mask)
    return Case(name_of(path), ct, lungs=_lungs(lungs, ct), lesions=mask)


def _classified(path: Path, lungs: Path | None, covid: bool) -> Case:
    ct = read_ct(path)
    return Case(name_of(path), ct, lungs=_lungs(lungs, ct), covid=covid)


def _lungs(path: Path | None, ct: Volume) -> Mask | None:
    return None if path is None else read_mask(path, ct)


def _beside(folder: Path, name: str, marks: tuple[str, ...]) -> Path | None:
    paths = (folder / f"{name}{mark}{suffix}" for mark in marks for suffix in SUFFIXES)
    return next((path for path in paths if path.exists()), None)


def _read_table(path: Path) -> dict[str, bool]:
    if not path.exists():
        raise BadInput("labels-missing", f"{path} is needed, with the columns case,covid")
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        if not {"case", "covid"} <= set(rows.fieldnames or ()):
            raise BadInput("labels-malformed", f"{path.name} needs the columns case,covid")
        return {row["case"].strip(): _yes_or_no(row["covid"], path) for row in rows}


def _yes_or_no(text: str | None, path: Path) -> bool:
    word = (text or "").strip().lower()
    if word not in YES | NO:
        raise BadInput("labels-malformed", f"{path.name}: covid is 1 or 0, not {word!r}")
    return word in YES


def _read_image(path: Path) -> sitk.Image:
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise BadInput("unreadable", f"{path.name} can't be read as an image") from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise BadInput("not-a-volume", f"{path.name} is no volume of one value per voxel")
    return image


def _read_dicom(folder: Path) -> Volume:
    # Here, as what reads DICOM is no part of the environment that trains.
    from services.reader.handler import handle
    from shared.store.memory import MemoryStore
    from shared.testing.manifests import manifest_of
    from shared.testing.work import work_for

    store = MemoryStore()
    _, manifest = manifest_of(folder, store)
    try:
        produced = handle(work_for("reader", store, {"ingest.manifest": manifest}), store=store)
    except InputRejected as refused:
        raise BadInput("refused-by-the-reader", f"{folder.name}: {refused}") from refused
    mapped = read_metaimage(store.path(produced.payloads["volume"]))
    return mapped.like(mapped.array.copy())


def _grid(volume: Volume) -> str:
    shape = "×".join(str(n) for n in reversed(volume.array.shape))
    spacing = "×".join(f"{s:.2f}" for s in volume.spacing)
    axes = ", ".join(
        " ".join(f"{part:.3g}" for part in volume.direction[axis::3]) for axis in range(3)
    )
    begin = tuple(round(o, 1) for o in volume.origin)
    return f"{shape} voxels of {spacing} mm at {begin} along ({axes})"
