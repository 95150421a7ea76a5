"""Writes a mask as a DICOM Segmentation (PS3.3 A.51): binary, one segment per label."""

from collections.abc import Mapping, Sequence

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentationTypeValues, SegmentDescription
from highdicom.seg import Segmentation as HighdicomSegmentation
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from services.writers.patient_study import copy_patient_and_study
from services.writers.segments import coding_of
from services.writers.source import Mask, Source
from services.writers.stamp import (
    DEVICE_SERIAL_NUMBER,
    MANUFACTURER,
    Stamp,
    code_item,
    instance_item,
    mark,
)
from shared.provenance import ModelIdentity
from shared.version import CODE_VERSION

_ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
_LO = 64


def segmentation(
    mask: Mask, labels: Mapping[int, str], source: Source, stamp: Stamp, model: ModelIdentity
) -> Dataset:
    """The SEG of a mask (z, y, x) whose slices are those of the source.

    Frames without a voxel are left out. A mask without any is a result too: one empty frame
    per segment says that the model looked and found none. Raises `ValueError` for a label
    that has no coding, and for a mask that is not on the source's grid.
    """
    if mask.shape != source.shape:
        raise ValueError(f"the mask is {mask.shape}, the source {source.shape}")
    numbered = _consecutive(mask, labels)
    found = _found(numbered, len(labels))
    images = source.minimal()
    if not found.any():
        middle = len(images) // 2
        images, numbered = images[middle : middle + 1], numbered[middle : middle + 1]
    names = [labels[value] for value in sorted(labels)]
    made = _by_highdicom(images, numbered, names, found, stamp, model)
    copy_patient_and_study(source.header, made)
    mark(made, stamp, source.header, f"{_subject(names)} segmentation")
    _refer_to_frames(made, source)
    made.ContentDescription = _content(names, found)[:_LO]
    made["PixelData"].VR = "OB"
    _own_dimension_uid(made, stamp.uid("dimension organization"))
    return made


def _consecutive(mask: Mask, labels: Mapping[int, str]) -> Mask:
    """Segment numbers count from 1 (PS3.3 C.8.20.2.4); a value without a label is an error."""
    table = np.zeros(256, np.uint8)
    for number, value in enumerate(sorted(labels), 1):
        table[value] = number
    values = np.flatnonzero(_present(mask))
    if any(value and not table[value] for value in values):
        raise ValueError("the mask holds a value that no label names")
    # A mask of the usual labels stays the mapped file that it is.
    return mask if all(table[value] == value for value in values) else np.asarray(table[mask])


def _found(mask: Mask, segments: int) -> NDArray[np.bool_]:
    """Which segments have a voxel."""
    return _present(mask)[1 : segments + 1]


def _present(mask: Mask) -> NDArray[np.bool_]:
    """Which of the 256 values occur, plane by plane: the whole mask may be larger than memory."""
    present = np.zeros(256, bool)
    for plane in mask:
        present[plane] = True
    return present


def _by_highdicom(
    images: Sequence[Dataset],
    mask: Mask,
    names: Sequence[str],
    found: NDArray[np.bool_],
    stamp: Stamp,
    model: ModelIdentity,
) -> Dataset:
    return HighdicomSegmentation(
        source_images=images,
        pixel_array=mask,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _segment(number, name, bool(found[number - 1]), model)
            for number, name in enumerate(names, 1)
        ],
        series_instance_uid=stamp.uid("series"),
        series_number=stamp.series_number,
        sop_instance_uid=stamp.uid("instance"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=stamp.pipeline,
        software_versions=CODE_VERSION,
        device_serial_number=DEVICE_SERIAL_NUMBER,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=bool(found.any()),
        content_label="SEGMENTATION",
        content_date=stamp.moment.date(),
        content_time=stamp.moment.time().replace(microsecond=0),
    )


def _segment(number: int, name: str, found: bool, model: ModelIdentity) -> SegmentDescription:
    coding = coding_of(name)
    described = SegmentDescription(
        segment_number=number,
        segment_label=name[:_LO].capitalize(),
        segmented_property_category=coding.category,
        segmented_property_type=coding.type,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=_algorithm(model),
        anatomic_regions=[coding.region] if coding.region else None,
        display_color=coding.display_colour,
    )
    if coding.modifier:
        kind = described.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [code_item(coding.modifier)]
    described.SegmentDescription = name if found else f"{name}: none found"
    return described


def _algorithm(model: ModelIdentity) -> AlgorithmIdentificationSequence:
    """Which model, exactly (PS3.3 10.16)."""
    return AlgorithmIdentificationSequence(
        name=model.name[:_LO],
        family=_ARTIFICIAL_INTELLIGENCE,
        version=model.version[:_LO] or "unknown",
        source=MANUFACTURER,
        parameters={
            name: value
            for name, value in {"algorithm": model.algorithm, "sha256": model.digest}.items()
            if value
        },
    )


def _subject(names: Sequence[str]) -> str:
    """`lung` for a left and a right lung: the last word that all labels share, else all."""
    last = {name.rsplit(" ", 1)[-1] for name in names}
    return last.pop() if len(last) == 1 else ", ".join(names)


def _content(names: Sequence[str], found: NDArray[np.bool_]) -> str:
    if not found.any():
        return f"{_subject(names)}: none found"
    return ", ".join(
        name if there else f"no {name}" for name, there in zip(names, found, strict=True)
    )


def _refer_to_frames(made: Dataset, source: Source) -> None:
    """Say which frame was meant where the source is a multi-frame object (PS3.3 10.3)."""
    frames = {image.stand_in: image for image in source.images if image.frame is not None}
    if not frames:
        return
    for item in made.PerFrameFunctionalGroupsSequence:
        for derivation in item.DerivationImageSequence:
            for reference in derivation.SourceImageSequence:
                image = frames.get(reference.ReferencedSOPInstanceUID)
                if image is None:  # the segments of a plane share their reference
                    continue
                reference.ReferencedFrameNumber = image.frame
                reference.ReferencedSOPClassUID = image.sop_class_uid
                reference.ReferencedSOPInstanceUID = image.sop_instance_uid
    (series,) = made.ReferencedSeriesSequence
    series.ReferencedInstanceSequence = [instance_item(*pair) for pair in source.instances]


def _own_dimension_uid(made: Dataset, uid: str) -> None:
    """highdicom draws this one at random; it is ours to derive."""
    made.DimensionOrganizationSequence[0].DimensionOrganizationUID = uid
    for index in made.DimensionIndexSequence:
        index.DimensionOrganizationUID = uid
