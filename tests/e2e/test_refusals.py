"""Each study that can't be analysed gets its reason, and what is hostile harms nobody."""

import sys
import time
import zipfile
from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import AllTransferSyntaxes, CTImageStorage

from phantom.dicom import uid
from phantom.refusals import REFUSALS
from phantom.studies import slab
from phantom.warned import WARNINGS
from shared.testing.archives import unpacked
from tests.e2e import sending
from tests.e2e.studies import as_another_study, study_uid
from tests.e2e.system import DATA, SHORT, Job, System, new_seed

pytestmark = pytest.mark.e2e

NEVER_A_JOB = {"not-ct"}
"""The pipeline's input rules admit CT alone: another modality is kept, and makes no version."""
REFUSED_WITHIN_S = 10.0
QUIET_S = 1.0
EVERY = 10
"""Every tenth of the hostile files."""


@pytest.fixture(scope="module")
def refused(system: System) -> Mapping[str, tuple[Job | None, float]]:
    """For each code the job of its phantom, and when its input was complete."""
    sent = {}
    for code, make in REFUSALS.items():
        datasets = make(new_seed())
        system.send(datasets)
        sent[code] = (study_uid(datasets), time.time() + QUIET_S)
    system.passed()
    return {
        code: (None if code in NEVER_A_JOB else system.ended(study), complete)
        for code, (study, complete) in sent.items()
        if code not in NEVER_A_JOB or not system.versions(study)
    }


@pytest.mark.parametrize("code", REFUSALS)
def test_a_study_that_cannot_be_analysed_says_why(
    refused: Mapping[str, tuple[Job | None, float]], code: str
) -> None:
    job, complete = refused[code]
    if job is None:
        assert code in NEVER_A_JOB
        return
    assert job["status"] == "refused"
    assert job["reasons"][0]["code"] == code
    assert job["reasons"][0]["text"]
    took = datetime.fromisoformat(job["finished_at"]).timestamp() - complete
    sys.stdout.write(f"{took:.1f} s ")
    assert took < REFUSED_WITHIN_S


def test_a_refused_study_delivers_no_findings(
    system: System, refused: Mapping[str, tuple[Job | None, float]]
) -> None:
    delivered = {
        made["name"]
        for job, _ in refused.values()
        if job
        for made in job["outputs"]
        if made["deliveries"]
    }
    assert delivered <= {"not-analysed"}


@pytest.fixture(scope="module")
def warned(system: System) -> Mapping[str, Job]:
    """For each warning the job of its phantom."""
    studies = {}
    for code, make in WARNINGS.items():
        datasets = make(new_seed())
        system.send(datasets)
        studies[code] = study_uid(datasets)
    return {code: system.ended(study) for code, study in studies.items()}


@pytest.mark.parametrize("code", WARNINGS)
def test_a_study_with_a_caveat_is_analysed_and_says_so(
    warned: Mapping[str, Job], code: str
) -> None:
    assert warned[code]["status"] == "completed"
    assert code in warned[code]["warnings"]


def test_a_tilted_gantry_of_a_real_scanner_is_refused(system: System) -> None:
    folder = _odd("gantry_tilt")
    datasets = as_another_study([dcmread(path) for path in sorted(folder.iterdir())])
    job = system.analysed(datasets)
    assert (job["status"], job["reasons"][0]["code"]) == ("refused", "gantry-tilt")


def test_two_real_slices_at_one_position_are_refused(system: System) -> None:
    with zipfile.ZipFile(_odd("duplicate_positions") / "dupe-positions.zip") as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        datasets = [dcmread(BytesIO(archive.read(name)), force=True) for name in names]
    system.send(datasets)
    job = system.ended(study_uid(datasets))
    assert job["status"] == "refused"
    assert "duplicate-positions" in {reason["code"] for reason in job["reasons"]}


def test_single_images_in_every_transfer_syntax_are_taken_and_refused(system: System) -> None:
    studies = set()
    for path in sorted(_odd("compressed").glob("*.dcm")):
        dataset = dcmread(path)
        if dataset.file_meta.TransferSyntaxUID not in AllTransferSyntaxes:
            continue  # retired: nobody negotiates it
        assert sending.statuses(system.dicom_port, SHORT, [dataset]) == [0], path.name
        if dataset.get("Modality") == "CT":
            studies.add(str(dataset.StudyInstanceUID))
    system.passed()
    assert studies
    for study in studies:
        [*_, last] = system.versions(study)
        assert system.ended(study, last["version"])["status"] == "refused"


def test_hostile_files_harm_nobody(system: System, tmp_path: Path) -> None:
    paths = unpacked(_odd("hostile") / "files.tar.gz", ".dcm", EVERY, tmp_path)
    processes = system.pids("-m", "services.")
    answers = [_sent_raw(system, path) for path in paths]

    job = system.analysed(slab(new_seed()))

    assert len(answers) >= 30
    assert set(answers) <= {0x0000, 0x0117, 0xA900, 0xC000}, [hex(a) for a in answers]
    assert job["status"] == "completed"
    assert system.pids("-m", "services.") == processes


def _sent_raw(system: System, path: Path) -> int:
    """The answer to the bytes of a file, under the UIDs that they name, or else invented ones."""
    content, syntax = sending.dataset_bytes(path)
    sop_class, instance = str(CTImageStorage), str(uid("hostile", path.name))
    try:
        header = dcmread(path, force=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
        sop_class = str(header.get("SOPClassUID") or sop_class)
        instance = str(header.get("SOPInstanceUID") or instance)
    except Exception:  # noqa: S110 - whatever a hostile header makes pydicom raise
        pass
    return sending.raw(system.dicom_port, SHORT, content, syntax, sop_class, instance)


def _odd(name: str) -> Path:
    folder = DATA / "odd" / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: odd files are handed out beside the project")
    return folder
