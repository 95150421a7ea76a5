"""The same again makes nothing new; a changed study makes the next version; a rerun the same."""

import copy
import shutil

import pytest

from phantom.studies import slab
from tests.e2e.studies import dose_report, study_uid, with_one_voxel_changed
from tests.e2e.system import (
    System,
    dataset_digests,
    dicom_outputs,
    digests,
    new_seed,
    output_digests,
)

pytestmark = pytest.mark.e2e


def test_the_same_study_again_makes_nothing_new(system: System) -> None:
    datasets = slab(new_seed())
    first = system.analysed(datasets)
    before = digests(system.received(study_uid(datasets)))

    system.send(datasets)
    system.passed()

    [only] = system.versions(study_uid(datasets))
    assert (only["job_id"], only["run"]) == (first["job_id"], 1)
    assert digests(system.received(study_uid(datasets))) == before
    assert len(before) == 4


def test_a_rerun_whose_outcomes_are_gone_makes_the_same_bytes(system: System) -> None:
    datasets = slab(new_seed())
    first = system.analysed(datasets)
    made, filed = output_digests(first), dataset_digests(system.received(study_uid(datasets)))
    shutil.rmtree(system.home.payloads / "outcomes" / first["job_id"])
    for path in dicom_outputs(first).values():
        path.unlink()

    second = system.rerun(first)

    assert second["status"] == "completed"
    assert {stage["status"] for stage in second["stages"]} == {"succeeded"}
    assert dicom_outputs(second).keys() == dicom_outputs(first).keys()
    assert output_digests(second) == made
    assert dataset_digests(system.received(study_uid(datasets))) == filed
    assert dataset_digests(dicom_outputs(second)) == filed


def test_a_rerun_takes_over_what_succeeded(system: System) -> None:
    datasets = slab(new_seed())
    first = system.analysed(datasets)
    second = system.rerun(first)
    assert {stage["status"] for stage in second["stages"]} == {"reused"}
    assert output_digests(second) == output_digests(first)


def test_each_change_makes_the_next_version(system: System) -> None:
    datasets = slab(new_seed())
    study = study_uid(datasets)
    jobs = [system.analysed(datasets)]

    system.send([with_one_voxel_changed(datasets[12])])
    jobs.append(system.ended(study, version=2))

    renamed = copy.deepcopy(datasets)
    for dataset in renamed:
        dataset.PatientName = "Phantom^Corrected"
    system.send(renamed)
    jobs.append(system.ended(study, version=3))

    system.send(datasets)
    jobs.append(system.ended(study, version=4))

    assert [job["status"] for job in jobs] == ["completed"] * 4
    assert [job["supersedes"] for job in jobs] == [None, *(job["job_id"] for job in jobs[:-1])]
    uids = [uid for job in jobs for uid in dicom_outputs(job)]
    assert len(set(uids)) == len(uids) == 4 * 4
    assert set(system.received(study)) == set(uids)


def test_a_late_dose_report_changes_nothing(system: System) -> None:
    datasets = slab(new_seed())
    system.analysed(datasets)

    system.send([dose_report(datasets[0])])
    system.passed()

    assert len(system.versions(study_uid(datasets))) == 1
    assert len(system.received(study_uid(datasets))) == 4
