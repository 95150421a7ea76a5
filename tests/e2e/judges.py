"""What others say of our objects: dicom3tools, dcmtk, dcmqi and poppler."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.imaging.volume import Volume


def tool(name: str, package: str) -> str:
    """The program, or a skip that says what is missing."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed ({package})")
    return found


def dciodvfy_errors(path: Path) -> set[str]:
    """The errors that dciodvfy finds in an object, without the values that it quotes."""
    said = _said(tool("dciodvfy", "Debian: dicom3tools"), "-new", path)
    return {line for line in said.splitlines() if line.startswith("Error")}


def dcentvfy_remarks(paths: Iterable[Path]) -> set[str]:
    """What dcentvfy finds to differ between objects of one study; file names left out."""
    said = _said(tool("dcentvfy", "Debian: dicom3tools"), *paths)
    return {re.sub(r"\S*/\S+", "FILE", line) for line in said.splitlines()}


def pages_of(path: Path, scratch: Path) -> int:
    """How many pages pdftoppm draws of the PDF that dcm2pdf takes out of an object."""
    pdf = scratch / f"{path.stem}.pdf"
    dcm2pdf, pdftoppm = tool("dcm2pdf", "Debian: dcmtk"), tool("pdftoppm", "Debian: poppler-utils")
    subprocess.run([dcm2pdf, path, pdf], check=True, capture_output=True)
    drawn = subprocess.run([pdftoppm, "-r", "20", pdf], check=True, capture_output=True)
    assert drawn.stderr == b""
    return drawn.stdout.count(b"P6\n")


def dcmqi_masks(path: Path, scratch: Path, grid: Volume) -> dict[int, NDArray[np.bool_]]:
    """Each segment as segimage2itkimage reads it, on the grid (z, y, x), by position in space."""
    folder = scratch / f"{path.stem}-dcmqi"
    folder.mkdir()
    reader = tool("segimage2itkimage", "PyPI: dcmqi")
    told = f"--inputDICOM {path} --outputDirectory {folder} -t nii"
    subprocess.run([reader, *told.split()], check=True, capture_output=True)
    return {
        int(found.name.partition(".")[0]): _placed(found, grid) for found in folder.glob("*.nii.gz")
    }


def _placed(path: Path, grid: Volume) -> NDArray[np.bool_]:
    """NIfTI's x and y point the other way than DICOM's."""
    image = nibabel.nifti1.load(path)  # type: ignore[no-untyped-call]
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    assert np.count_nonzero(np.abs(affine[:3, :3]) > 1e-6) == 3, "the axes are not the CT's"
    found = np.asarray(image.dataobj) > 0
    x, y, z = (
        np.rint((np.arange(size) * affine[axis, axis] + affine[axis, 3] - start) / step).astype(int)
        for axis, (size, start, step) in enumerate(
            zip(found.shape, grid.origin, grid.spacing, strict=True)
        )
    )
    mask = np.zeros(grid.array.shape, bool)
    mask[np.ix_(z, y, x)] = found.T
    return mask


def _said(*command: str | Path) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace")
    return ran.stdout + ran.stderr
