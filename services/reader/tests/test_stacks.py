"""Which planes belong together, and which of the stacks is read."""

import copy
from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from phantom.dicom import uid
from phantom.refusals import REFUSALS
from phantom.studies import SLAB, slab
from services.reader.tests.conftest import Read

SEED = 1


def _again(datasets: Sequence[Dataset], name: str, **attributes: object) -> list[Dataset]:
    """A copy of each slice with another UID and other attributes."""
    copies = [copy.deepcopy(dataset) for dataset in datasets]
    for dataset in copies:
        dataset.SOPInstanceUID = uid(dataset.SOPInstanceUID, name)
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
    return copies


def test_a_localizer_and_a_reformat_are_passed_over_for_the_slices(read: Read) -> None:
    others = REFUSALS["localizer"](SEED) + REFUSALS["derived-image"](SEED)
    reading = read([*others, *slab(SEED)])
    told = {stack.reason for stack in reading.selection.stacks if not stack.chosen}
    assert told == {"localizer, not-axial, too-few-slices", "derived-image"}
    assert reading.volume.array.shape == SLAB.shape


def test_two_acquisitions_in_one_series_are_two_stacks(read: Read) -> None:
    slices = _again(slab(SEED), "first", AcquisitionNumber=1)
    stacks = read([*slices, *_again(slices[:22], "second", AcquisitionNumber=2)]).selection.stacks
    assert [(stack.slices, stack.chosen) for stack in stacks] == [(24, True), (22, False)]
    assert stacks[1].reason == "another is preferred: most slices"


def test_a_sequential_scan_is_one_stack_though_each_place_is_an_acquisition(read: Read) -> None:
    slices = slab(SEED)
    for number, dataset in enumerate(slices, start=1):
        dataset.AcquisitionNumber = number
    assert [stack.slices for stack in read(slices).selection.stacks] == [24]


def test_a_corrupt_series_is_passed_over_for_a_sound_one(read: Read) -> None:
    corrupt = _again(
        REFUSALS["corrupt-instance"](SEED),
        "corrupt",
        SeriesInstanceUID=uid("corrupt"),
        SeriesNumber=1,
    )
    stacks = read([*corrupt, *_again(slab(SEED), "sound", SeriesNumber=2)]).selection.stacks
    assert [(stack.reason, stack.chosen) for stack in stacks] == [
        ("corrupt-instance", False),
        ("the only usable one", True),
    ]


def test_slices_are_listed_from_the_feet_up_however_they_came(read: Read) -> None:
    slices = slab(SEED)
    shuffled = [slices[index] for index in np.random.default_rng(1).permutation(len(slices))]
    from_feet = sorted(slices, key=lambda dataset: float(dataset.ImagePositionPatient[2]))
    listed = [plane.sop_instance_uid for plane in read(shuffled).selection.slices]
    assert listed == [str(dataset.SOPInstanceUID) for dataset in from_feet]


def test_the_same_study_gives_the_same_bytes(read: Read) -> None:
    assert read(slab(SEED)).digest == read(reversed(slab(SEED))).digest
