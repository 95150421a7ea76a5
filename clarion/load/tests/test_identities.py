"""Each study that is sent is a new one, and whole in itself."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, Sequence, dcmread
from pydicom.uid import MRImageStorage

from clarion.failure import Failure
from clarion.load.identities import Run, own_uids, renew
from clarion.load.studies import is_admitted, make, recorded
from clarion.load.tests.studies import order
from phantom.dicom import write
from phantom.studies import SLAB, drawn, slab
from shared.pipelines.definition import InputRules

RUN = Run(7)


def test_two_phantoms_of_one_anatomy_share_no_uid(tmp_path: Path) -> None:
    phantom = drawn(SLAB)
    first, second = (make(order(n), phantom, RUN, tmp_path / str(n)) for n in (1, 2))
    assert not _uids(first.instances) & _uids(second.instances)
    assert len(first.instances) == SLAB.shape[0]


def test_another_run_makes_other_studies(tmp_path: Path) -> None:
    runs = (make(order(), drawn(SLAB), Run(n), tmp_path / str(n)) for n in (1, 2))
    assert len({study.study_instance_uid for study in runs}) == 2


def test_a_study_of_another_modality_says_so_in_its_headers(tmp_path: Path) -> None:
    made = make(order(modality="MR"), drawn(SLAB), RUN, tmp_path / "mr")
    read = dcmread(made.instances[0].path)
    assert (read.Modality, read.SOPClassUID) == ("MR", MRImageStorage)
    assert made.instances[0].sop_class_uid == read.file_meta.MediaStorageSOPClassUID


def test_recorded_studies_keep_images_and_references(tmp_path: Path) -> None:
    datasets = slab(1)[:3]
    datasets[0].SourceImageSequence = Sequence([_reference(datasets[1])])
    write(datasets, tmp_path / "scans")
    [source] = recorded([tmp_path / "scans"])

    made = make(order(), source, RUN, tmp_path / "made")

    read = [dcmread(instance.path) for instance in made.instances]
    referred = read[0].SourceImageSequence[0].ReferencedSOPInstanceUID
    assert referred == read[1].SOPInstanceUID != datasets[1].SOPInstanceUID
    assert [r.PixelData for r in read] == [d.PixelData for d in datasets]
    assert not own_uids(read) & own_uids(datasets)
    assert {r.PatientID for r in read} != {datasets[0].PatientID}
    assert all(r.file_meta.MediaStorageSOPInstanceUID == r.SOPInstanceUID for r in read)


def test_uids_that_are_not_the_studys_own_stay() -> None:
    [dataset, *_] = slab(1)
    before = dataset.SOPClassUID
    renew(dataset, own_uids([dataset]), 1)
    assert dataset.SOPClassUID == before
    assert len(dataset.AccessionNumber) <= 16


def test_each_study_of_a_folder_is_a_source(tmp_path: Path) -> None:
    for seed in (1, 2):
        write(slab(seed)[:2], tmp_path / str(seed))
    assert [len(source.instances) for source in recorded([tmp_path])] == [2, 2]


def test_a_study_makes_a_job_by_any_attribute_that_the_rules_name(tmp_path: Path) -> None:
    datasets = slab(1)[:2]
    datasets[1].ImageType = ["DERIVED", "SECONDARY", "MPR"]
    write(datasets, tmp_path / "scans")
    [source] = recorded([tmp_path / "scans"])
    made = make(order(), source, RUN, tmp_path / "made")
    for kind, admitted in (("MPR", True), ("LOCALIZER", False)):
        rules = InputRules(admit={"image_type": (kind,), "modality": ("CT", "MR")})
        assert made.makes_job(rules) is is_admitted(source, rules) is admitted


def test_a_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no-studies"):
        recorded([tmp_path])


def test_seeds_of_runs_do_not_meet() -> None:
    assert RUN.seed(999_999) < replace(RUN, number=8).seed(0)


def _reference(dataset: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = dataset.SOPClassUID
    item.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
    return item


def _uids(instances: object) -> frozenset[str]:
    return own_uids(dcmread(each.path) for each in instances)  # type: ignore[attr-defined]
