"""Cases in a folder: each CT as DICOM or one file, with its truth beside it.

For a case `NAME` the CT is the folder `NAME/` of DICOM files or one of `NAME.mha`, `NAME.nrrd`,
`NAME.nii`, `NAME.nii.gz`, `NAME.mhd`. Its truth is `NAME.mask.EXT`, `NAME-label.EXT` or
`NAME_mask.EXT`; `NAME.lungs.EXT` beside it tells where lesions count. `labels.csv` holds the
columns `case,covid` for the classifier. Names that begin with a dot are no cases, and neither is a
folder that holds no DICOM and has no truth.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from shared.errors import InputRejected
from shared.imaging.resample import apart_mm, oriented_as, same_grid
from shared.imaging.volume import Volume, from_sitk
from shared.imaging.volume import read as read_metaimage
from training.evaluation.cases import Case, Cases, Mask, Task
from training.evaluation.covid_table import read_table
from training.evaluation.problem import BadInput

SUFFIXES = (".mha", ".mhd", ".nrrd", ".nii.gz", ".nii")
TRUTH = (".mask", "-label", "_mask", "-mask", "_label")
LUNGS = (".lungs", "-lungs", "_lungs")
LABELS = "labels.csv"


def cases_in(folder: Path, task: Task, values: frozenset[int] | None) -> Cases:
    """Every case of a folder. `values` are the mask's labels that count; None takes any above 0.

    Raises `BadInput` where there is no case, where one lacks its truth, or where none of the masks
    holds any of `values`.
    """
    if not folder.is_dir():
        raise BadInput("no-such-folder", f"{folder} is no folder")
    covid = read_table(folder / LABELS) if task == "class" else {}
    paths = [path for path in _ct_paths(folder) if _is_case(path, folder, task, covid)]
    makers = [_maker(folder, ct, task, values, covid) for ct in paths]
    if not makers:
        raise BadInput("no-case", f"{folder} holds neither DICOM folders nor {' '.join(SUFFIXES)}")
    if values is not None and task != "class":
        _require_labels((_truth(folder, name_of(ct)) for ct in paths), values)
    return Cases(tuple(makers))


def read_ct(path: Path) -> Volume:
    """A CT in HU. DICOM is read by the pipeline's own reader, with its refusals."""
    if path.is_dir():
        return _read_dicom(path)
    volume = from_sitk(_read_image(path))
    if volume.array.dtype.itemsize < 2:
        raise BadInput(
            "no-hounsfield-units",
            f"{path.name} has 8 bits a voxel, too few for HU; give the CT as it left the scanner, "
            "before a window was applied",
        )
    return volume


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
    turned = oriented_as(mask, ct)
    if not same_grid(turned, ct):
        raise BadInput(
            "grids-differ",
            f"{path.name} is {_grid(mask)}, its CT {_grid(ct)}{_apart(turned, ct)}; resample the "
            "mask, not the CT",
        )
    return turned.array


def name_of(path: Path) -> str:
    """The case that a file or folder belongs to, its ending left out."""
    suffix = next((s for s in SUFFIXES if path.name.endswith(s)), "")
    return path.name[: len(path.name) - len(suffix)]


def _ct_paths(folder: Path) -> list[Path]:
    def is_ct(path: Path) -> bool:
        if path.is_dir():
            return any(path.iterdir())
        return path.name.endswith(SUFFIXES) and not name_of(path).endswith((*TRUTH, *LUNGS))

    return sorted(path for path in _shown(folder) if is_ct(path))


def _shown(folder: Path) -> Iterator[Path]:
    """What lies in a folder and is not hidden, as what macOS adds (`._NAME`) is."""
    return (path for path in folder.iterdir() if not path.name.startswith("."))


def _is_case(path: Path, folder: Path, task: Task, covid: dict[str, bool]) -> bool:
    """A folder of something else, such as figures, has neither truth nor DICOM."""
    name = name_of(path)
    has_truth = name in covid if task == "class" else _beside(folder, name, TRUTH) is not None
    return path.is_file() or has_truth or any(map(_is_part10, _dicom_files(path)))


def _dicom_files(folder: Path) -> Iterator[Path]:
    """The files below a folder but its DICOMDIR, which holds no image (PS3.10 8.6)."""
    for path in sorted(_shown(folder)):
        if path.is_dir():
            yield from _dicom_files(path)
        elif path.name.upper() != "DICOMDIR":
            yield path


def _is_part10(path: Path) -> bool:
    """By the prefix of PS3.10 7.1."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _require_labels(truths: Iterable[Path], values: frozenset[int]) -> None:
    """Raises `BadInput` where no mask holds any of `values`, as it must not be told as healthy."""
    there: set[int] = set()
    for path in truths:
        try:
            there |= set(np.unique(sitk.GetArrayFromImage(_read_image(path))).tolist())
        except BadInput:
            continue  # Told when the turn of its case comes.
        if there & values:
            return
    wanted, found = (", ".join(f"{n:g}" for n in sorted(each)) for each in (values, there - {0}))
    raise BadInput("labels-not-found", f"no mask holds any of {wanted}, only {found or 'zeros'}")


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
            raise BadInput("label-missing", f"{LABELS} has no row for {name}")
        return partial(_classified, ct, _beside(folder, name, LUNGS), covid[name])
    lungs = _beside(folder, name, LUNGS)
    return partial(_segmented, ct, _truth(folder, name), lungs, task, values)


def _truth(folder: Path, name: str) -> Path:
    """The mask of a case. Raises `BadInput`."""
    truth = _beside(folder, name, TRUTH)
    if truth is None:
        wanted = ", ".join(f"{name}{mark}.nii.gz" for mark in TRUTH[:2])
        raise BadInput("mask-missing", f"{name} has no mask: looked for {wanted}, and so on")
    return truth


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
    _, manifest = manifest_of(_dicom_files(folder), store)
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


def _apart(one: Volume, other: Volume) -> str:
    """Of grids with as many voxels, which may read the same."""
    if one.array.shape != other.array.shape:
        return ""
    return f", up to {apart_mm(one, other):.2g} mm away"
