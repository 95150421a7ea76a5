"""A mask that is written is the mask that is read, whoever reads it."""

from dataclasses import replace
from io import BytesIO

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import LegacyConvertedEnhancedCTImageStorage

from services.writers.segmentation import segmentation
from services.writers.source import Mask
from services.writers.stamp import part10
from services.writers.tests.studies import (
    LESION_LABELS,
    LESION_MODEL,
    LUNG_LABELS,
    LUNG_MODEL,
    Study,
)


def lungs_of(study: Study) -> Dataset:
    made = segmentation(study.lungs, LUNG_LABELS, study.source, study.stamp(), LUNG_MODEL)
    return pydicom.dcmread(BytesIO(part10(made)))


def no_lesion_in(study: Study) -> Dataset:
    none = np.zeros_like(study.lungs)
    made = segmentation(none, LESION_LABELS, study.source, study.stamp(), LESION_MODEL)
    return pydicom.dcmread(BytesIO(part10(made)))


def by_position(dicom: Dataset, study: Study) -> Mask:
    """The mask again, each frame put where its own position says."""
    mask = np.zeros(study.source.shape, np.uint8)
    heights = [image.position[2] for image in study.source.images]
    for frame, item in zip(dicom.pixel_array, dicom.PerFrameFunctionalGroupsSequence, strict=True):
        number = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        height = float(item.PlanePositionSequence[0].ImagePositionPatient[2])
        mask[int(np.argmin(np.abs(np.subtract(heights, height))))][frame > 0] = number
    return mask


def test_every_voxel_comes_back_at_its_position(study: Study) -> None:
    assert np.array_equal(by_position(lungs_of(study), study), study.lungs)


def test_highdicom_reads_the_same_mask(study: Study) -> None:
    made = segmentation(study.lungs, LUNG_LABELS, study.source, study.stamp(), LUNG_MODEL)
    read = highdicom.seg.segread(BytesIO(part10(made)))
    uids = [image.sop_instance_uid for image in study.source.images]

    mask = read.get_pixels_by_source_instance(
        uids,
        combine_segments=True,
        ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
    )

    assert np.array_equal(mask, study.lungs)


def test_empty_frames_are_left_out(study: Study) -> None:
    beyond = replace(study, lungs=study.lungs.copy())
    beyond.lungs[:2] = 0
    with_lung = sum(int((beyond.lungs == side).any(axis=(1, 2)).sum()) for side in (1, 2))

    assert 0 < lungs_of(beyond).NumberOfFrames == with_lung < 2 * len(study.lungs)


def test_each_lung_is_a_segment_coded_with_its_side(study: Study) -> None:
    segments = lungs_of(study).SegmentSequence

    def code(item: Dataset) -> tuple[str, str, str]:
        return item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning

    kinds = [segment.SegmentedPropertyTypeCodeSequence[0] for segment in segments]
    assert [segment.SegmentLabel for segment in segments] == ["Left lung", "Right lung"]
    assert [code(segment.SegmentedPropertyCategoryCodeSequence[0]) for segment in segments] == [
        ("91723000", "SCT", "Anatomical structure")
    ] * 2
    assert [code(kind) for kind in kinds] == [("39607008", "SCT", "Lung")] * 2
    assert [code(kind.SegmentedPropertyTypeModifierCodeSequence[0]) for kind in kinds] == [
        ("7771000", "SCT", "Left"),
        ("24028007", "SCT", "Right"),
    ]


def test_the_algorithm_is_identified_down_to_its_weights(study: Study) -> None:
    segment = lungs_of(study).SegmentSequence[0]

    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("lung_seg", "1")
    assert LUNG_MODEL.digest in str(algorithm.AlgorithmParameters)


def test_no_lesion_is_a_result_of_one_empty_frame_that_says_so(study: Study) -> None:
    made = no_lesion_in(study)

    assert (made.NumberOfFrames, int(made.pixel_array.sum())) == (1, 0)
    assert made.ContentDescription == "lesion: none found"
    assert made.SegmentSequence[0].SegmentDescription == "lesion: none found"
    assert made.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue == "52988006"
    assert made.SegmentSequence[0].AnatomicRegionSequence[0].CodeValue == "39607008"


def test_every_frame_refers_to_the_image_that_it_was_made_of(study: Study) -> None:
    made = lungs_of(study)
    places = {image.sop_instance_uid: image.position for image in study.source.images}

    for item in made.PerFrameFunctionalGroupsSequence:
        image = item.DerivationImageSequence[0].SourceImageSequence[0]
        position = item.PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(position, places[image.ReferencedSOPInstanceUID], atol=1e-4)
    assert made.FrameOfReferenceUID == study.source.geometry.frame_of_reference_uid


def test_frames_of_a_multi_frame_source_are_named_by_number(study: Study) -> None:
    images = tuple(
        replace(
            image,
            sop_class_uid=LegacyConvertedEnhancedCTImageStorage,
            sop_instance_uid="1.2.3",
            frame=len(study.lungs) - place,
        )
        for place, image in enumerate(study.source.images)
    )
    source = replace(study.source, images=images)

    made = segmentation(study.lungs, LUNG_LABELS, source, study.stamp(), LUNG_MODEL)

    (instance,) = made.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert instance.ReferencedSOPInstanceUID == "1.2.3"
    assert instance.ReferencedSOPClassUID == LegacyConvertedEnhancedCTImageStorage
    frames = {image.position: image.frame for image in images}
    for item in made.PerFrameFunctionalGroupsSequence:
        position = tuple(map(float, item.PlanePositionSequence[0].ImagePositionPatient))
        reference = item.DerivationImageSequence[0].SourceImageSequence[0]
        nearest = min(frames, key=lambda place: abs(place[2] - position[2]))
        assert reference.ReferencedFrameNumber == frames[nearest]
        assert reference.ReferencedSOPClassUID == LegacyConvertedEnhancedCTImageStorage


def test_nothing_in_it_was_drawn_at_random(study: Study) -> None:
    made = lungs_of(study)
    ours = {str(element.value) for element in made.iterall() if element.VR == "UI"}

    again = {str(element.value) for element in lungs_of(study).iterall() if element.VR == "UI"}

    assert again == ours
    assert str(made.file_meta.ImplementationVersionName).startswith("CLARION")


def test_a_label_without_a_code_can_not_be_sent(study: Study) -> None:
    labels = {1: "left lung", 2: "spleen"}
    with pytest.raises(ValueError, match="'spleen'"):
        segmentation(study.lungs, labels, study.source, study.stamp(), LUNG_MODEL)


def test_a_value_without_a_label_is_not_dropped_in_silence(study: Study) -> None:
    with pytest.raises(ValueError, match="no label"):
        segmentation(study.lungs, LESION_LABELS, study.source, study.stamp(), LUNG_MODEL)


def test_a_mask_of_another_grid_is_refused(study: Study) -> None:
    with pytest.raises(ValueError, match="the mask is"):
        segmentation(study.lungs[1:], LUNG_LABELS, study.source, study.stamp(), LUNG_MODEL)
