"""Takes every instance apart into planes: itself, or its frames with their functional groups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from services.reader.header import Header
from shared.manifest import Instance, InstanceFiles, Manifest

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MULTI_FRAME_CT = frozenset({"1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"})
"""Enhanced CT Image Storage and Legacy Converted Enhanced CT Image Storage."""

_GROUPS: dict[str, dict[str, str]] = {
    "PlanePositionSequence": {"ImagePositionPatient": "ImagePositionPatient"},
    "PlaneOrientationSequence": {"ImageOrientationPatient": "ImageOrientationPatient"},
    "PixelMeasuresSequence": {
        "PixelSpacing": "PixelSpacing",
        "SliceThickness": "SliceThickness",
    },
    "PixelValueTransformationSequence": {
        "RescaleIntercept": "RescaleIntercept",
        "RescaleSlope": "RescaleSlope",
        "RescaleType": "RescaleType",
    },
    "CTImageFrameTypeSequence": {"FrameType": "ImageType"},
    "CTReconstructionSequence": {"ConvolutionKernel": "ConvolutionKernel"},
    "FrameContentSequence": {"FrameAcquisitionNumber": "AcquisitionNumber"},
    "CTAcquisitionDetailsSequence": {"GantryDetectorTilt": "GantryDetectorTilt"},
    "UnassignedSharedConvertedAttributesSequence": {
        "ConvolutionKernel": "ConvolutionKernel",
        "AcquisitionNumber": "AcquisitionNumber",
        "GantryDetectorTilt": "GantryDetectorTilt",
    },
}
"""Functional group (PS3.3 C.7.6.16, C.8.15.3) → its attributes → what a single-frame CT calls
them."""
_GROUPS["UnassignedPerFrameConvertedAttributesSequence"] = _GROUPS[
    "UnassignedSharedConvertedAttributesSequence"
]


@dataclass(frozen=True, slots=True)
class Plane:
    """One image plane. `instance` is an index into the manifest, `frame` counts from 1."""

    instance: int
    source: Instance
    frame: int | None
    header: Header
    defect: str | None


def planes_of(manifest: Manifest, files: InstanceFiles) -> tuple[Plane, ...]:
    """All planes of the input set, in the manifest's order."""
    return tuple(
        plane
        for index, instance in enumerate(manifest.instances)
        for plane in _planes(index, instance, files)
    )


def _planes(index: int, instance: Instance, files: InstanceFiles) -> Iterator[Plane]:
    if instance.sop_class_uid not in MULTI_FRAME_CT or instance.defect:
        yield Plane(index, instance, None, instance.header, instance.defect)
        return
    try:
        headers = _frame_headers(files.dataset(instance), instance.header)
    except Exception as error:  # whatever a hostile file makes pydicom raise is a defect of it
        yield Plane(index, instance, None, instance.header, type(error).__name__)
        return
    for frame, header in enumerate(headers, start=1):
        yield Plane(index, instance, frame, header, None)


def _frame_headers(dataset: Dataset, header: Header) -> Sequence[Header]:
    """The header of each frame. Raises `ValueError` when there are not as many as declared."""
    shared = _flattened(dataset.get("SharedFunctionalGroupsSequence") or ())
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    if len(frames) != int(dataset.NumberOfFrames) or not frames:
        raise ValueError("the functional groups do not describe every frame")
    common = {**header, **shared, **_contrast(dataset)}
    return [{**common, **_flattened([frame])} for frame in frames]


def _contrast(dataset: Dataset) -> dict[str, str]:
    """Enhanced images name the agent by a code (PS3.3 C.7.6.4b), not in words."""
    agents = dataset.get("ContrastBolusAgentSequence") or ()
    return {"ContrastBolusAgent": str(agents[0].get("CodeMeaning", "coded"))} if agents else {}


def _flattened(groups: Sequence[Dataset]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for group in groups[:1]:
        for sequence, attributes in _GROUPS.items():
            for item in (group.get(sequence) or ())[:1]:
                found |= {
                    name: _plain(item[keyword].value)
                    for keyword, name in attributes.items()
                    if keyword in item
                }
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
