"""A multi-frame CT is read as the single-frame series that it was converted from."""

import copy
from collections.abc import Sequence

import pytest
from highdicom.legacy import LegacyConvertedEnhancedCTImage
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from phantom.dicom import uid
from phantom.studies import slab
from services.reader.tests.conftest import Read
from shared.errors import InputRejected

SEED = 1


def _converted(slices: Sequence[Dataset]) -> Dataset:
    return LegacyConvertedEnhancedCTImage(list(slices), uid("enhanced"), 7, uid("frames"), 1)


def _concatenation(whole: Dataset) -> list[Dataset]:
    """Two instances with half of the frames each (PS3.3 C.7.6.16.2.2.4)."""
    frames, half = list(whole.PerFrameFunctionalGroupsSequence), int(whole.NumberOfFrames) // 2
    size = whole.Rows * whole.Columns * 2
    parts = []
    for number, some in enumerate((slice(0, half), slice(half, None)), start=1):
        part = copy.deepcopy(whole)
        part.SOPInstanceUID = uid("part", number)
        part.file_meta.MediaStorageSOPInstanceUID = part.SOPInstanceUID
        part.ConcatenationUID = uid("concatenation")
        part.InConcatenationNumber, part.InConcatenationTotalNumber = number, 2
        part.PerFrameFunctionalGroupsSequence = DicomSequence(frames[some])
        part.NumberOfFrames = len(frames[some])
        part.PixelData = whole.PixelData[some.start * size : (some.stop or len(frames)) * size]
        parts.append(part)
    return parts


def test_a_converted_series_gives_the_same_volume(read: Read) -> None:
    slices = slab(SEED)
    single, multi = read(slices), read([_converted(slices)])
    assert multi.digest == single.digest
    assert sorted(plane.frame or 0 for plane in multi.selection.slices) == list(range(1, 25))


def test_a_concatenation_gives_the_same_volume(read: Read) -> None:
    slices = slab(SEED)
    reading = read(_concatenation(_converted(slices)))
    assert reading.digest == read(slices).digest
    assert {plane.instance for plane in reading.selection.slices} == {0, 1}


def test_a_concatenation_that_lacks_a_part_has_missing_slices(read: Read) -> None:
    with pytest.raises(InputRejected) as refused:
        read(_concatenation(_converted(slab(SEED)))[:1])
    assert [(reason.code, reason.numbers) for reason in refused.value.reasons] == [
        ("missing-slices", {"concatenation_parts": 1}),
        ("too-few-slices", {"slices": 12, "at_least": 20}),
    ]


def test_a_contrast_agent_that_is_coded_is_warned_of(read: Read) -> None:
    image, agent = _converted(slab(SEED)), Dataset()
    agent.CodeValue, agent.CodingSchemeDesignator = "385420005", "SCT"
    agent.CodeMeaning = "Contrast agent"
    image.ContrastBolusAgentSequence = [agent]
    assert read([image]).warnings == ("contrast",)


def test_frames_without_their_groups_are_a_corrupt_instance(read: Read) -> None:
    image = _converted(slab(SEED))
    image.PerFrameFunctionalGroupsSequence = image.PerFrameFunctionalGroupsSequence[:5]
    with pytest.raises(InputRejected) as refused:
        read([image])
    assert refused.value.reasons[0].code == "corrupt-instance"
