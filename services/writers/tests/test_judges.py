"""What others say of our objects: dicom3tools, dcmtk and dcmqi, on phantoms and on real CT."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from services.writers.handler import handle
from services.writers.tests.studies import REAL, Study, phantom_study, study_of

pytestmark = pytest.mark.e2e
STAGES = ("lung-dicom-seg", "lesion-dicom-seg", "classification-report", "ratio-report")
CASES = ("phantom", "cmb_crc_01068", "lung_dx_a0001_soft")


def tool(name: str, package: str) -> str:
    """The program, or a skip that says what is missing."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed ({package})")
    return found


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "Case":
    if request.param == "phantom":
        study = phantom_study()
    elif (REAL / request.param).is_dir():
        study = study_of(REAL / request.param)
    else:
        pytest.skip(f"{REAL / request.param} is absent: real CT is handed out with the project")
    return Case(study, tmp_path_factory.mktemp(request.param))


class Case:
    """A study's source and our objects as files."""

    def __init__(self, study: Study, folder: Path) -> None:
        self.study, self.folder = study, folder
        self.sources = list(self._sources())
        self.ours = {stage: self._written(stage) for stage in STAGES}

    def _sources(self) -> Iterator[Path]:
        for number, instance in enumerate(self.study.manifest.instances):
            path = self.folder / f"source-{number}.dcm"
            path.write_bytes(self.study.files.bytes(instance.file))
            yield path

    def _written(self, stage: str) -> Path:
        produced = handle(self.study.work(stage), store=self.study.store)
        path = self.folder / f"{stage}.dcm"
        path.write_bytes(self.study.store.get(produced.payloads["dicom"]))
        return path


def errors_of(dciodvfy: str, path: Path) -> set[str]:
    ran = subprocess.run([dciodvfy, "-new", path], capture_output=True, text=True, errors="replace")
    return {line for line in ran.stderr.splitlines() if line.startswith("Error")}


@pytest.mark.parametrize("stage", STAGES)
def test_dciodvfy_finds_no_error_that_the_source_lacks(case: Case, stage: str) -> None:
    dciodvfy = tool("dciodvfy", "Debian: dicom3tools")

    assert errors_of(dciodvfy, case.ours[stage]) <= errors_of(dciodvfy, case.sources[0])


def test_dciodvfy_notices_a_broken_object(case: Case) -> None:
    dciodvfy = tool("dciodvfy", "Debian: dicom3tools")
    broken = case.folder / "broken.dcm"
    content = case.ours["ratio-report"].read_bytes()
    broken.write_bytes(
        content.replace(b"application/pdf", b"application/PDX").replace(b"WSD ", b"XXX ")
    )

    assert errors_of(dciodvfy, broken)


def test_dcentvfy_finds_source_and_outputs_consistent(case: Case) -> None:
    dcentvfy = tool("dcentvfy", "Debian: dicom3tools")

    def said(*paths: Path) -> str:
        ran = subprocess.run([dcentvfy, *paths], capture_output=True, text=True, errors="replace")
        return ran.stdout + ran.stderr

    first = case.sources[:2]
    assert said(*first, *case.ours.values()) == said(*first)


@pytest.mark.parametrize("stage", ["classification-report", "ratio-report"])
def test_dcm2pdf_takes_out_a_pdf_that_renders(case: Case, stage: str) -> None:
    dcm2pdf, pdftoppm = tool("dcm2pdf", "Debian: dcmtk"), tool("pdftoppm", "Debian: poppler-utils")
    pdf = case.folder / f"{stage}.pdf"

    subprocess.run([dcm2pdf, case.ours[stage], pdf], check=True, capture_output=True)
    drawn = subprocess.run([pdftoppm, "-r", "20", pdf], check=True, capture_output=True)

    assert drawn.stderr == b""
    assert drawn.stdout.startswith(b"P6")


def test_dcmqi_reads_the_same_lungs_voxel_for_voxel(case: Case) -> None:
    reader = tool("segimage2itkimage", "PyPI: dcmqi")
    folder = case.folder / "dcmqi"
    folder.mkdir(exist_ok=True)
    told = f"--inputDICOM {case.ours['lung-dicom-seg']} --outputDirectory {folder} -t nii"
    subprocess.run([reader, *told.split()], check=True, capture_output=True)

    for number in (1, 2):
        assert np.array_equal(
            placed(folder / f"{number}.nii.gz", case.study), case.study.lungs == number
        )


def placed(path: Path, study: Study) -> NDArray[np.bool_]:
    """A NIfTI mask on the study's grid, by position: NIfTI's x and y point the other way."""
    image = nibabel.nifti1.load(path)  # type: ignore[no-untyped-call]
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    assert np.count_nonzero(affine[:3, :3]) == 3, "the axes are not the CT's"
    found = np.asarray(image.dataobj) > 0
    x, y, z = (
        np.rint((np.arange(size) * affine[axis, axis] + affine[axis, 3] - start) / step).astype(int)
        for axis, (size, start, step) in enumerate(
            zip(found.shape, study.ct.origin, study.ct.spacing, strict=True)
        )
    )
    mask = np.zeros(study.ct.array.shape, bool)
    mask[np.ix_(z, y, x)] = found.T
    return mask
