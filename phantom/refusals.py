"""A small study for each reason to refuse one: `{code: seed -> data sets}`.

All of them can be sent by C-STORE: what is wrong with them is never the SOP class or the UIDs.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEG2000MCLossless, MRImageStorage, RawDataStorage

from phantom.anatomy import Phantom
from phantom.dicom import INTERCEPT, Identity, file_meta, series, uid
from phantom.jpeg2000 import blank
from phantom.studies import CHEST, SLAB, Study, drawn, slab, slab_without
from phantom.warned import WARNINGS

HUGE = 5120
"""Rows and columns that make 24 slices more than 600 million voxels."""


def corrupt_instance(seed: int) -> list[Dataset]:
    """One slice whose pixels end half way."""
    datasets = slab(seed)
    ds = datasets[len(datasets) // 2]
    ds.PixelData = ds.PixelData[: ds.Rows * ds.Columns]
    return datasets


def mixed_patient(seed: int) -> list[Dataset]:
    """One study whose second half carries another patient."""
    datasets, other = slab(seed), Identity.of(seed + 1)
    for ds in datasets[len(datasets) // 2 :]:
        ds.PatientName, ds.PatientID = other.patient_name, other.patient_id
        ds.PatientBirthDate, ds.PatientSex = other.birth_date, other.sex
    return datasets


def no_image(seed: int) -> list[Dataset]:
    """Raw data of a CT scanner and nothing else (PS3.3 A.37)."""
    source = slab(seed)[0]
    kept = [
        e for e in source if e.tag.group in (0x0008, 0x0010, 0x0020) and e.keyword != "ImageType"
    ]
    ds = Dataset({element.tag: element for element in kept})
    ds.SOPClassUID = RawDataStorage
    ds.SOPInstanceUID = uid(seed, "raw data")
    ds.BodyPartExamined = "CHEST"
    ds.CreatorVersionUID = uid("raw data", 1)
    ds.AcquisitionContextSequence = []
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "SliceLocation"):
        delattr(ds, keyword)
    ds.file_meta = file_meta(ds)
    return [ds]


def not_ct(seed: int) -> list[Dataset]:
    """An axial series of a magnetic resonance scanner."""
    datasets = slab(seed)
    for ds in datasets:
        for keyword in (
            "RescaleSlope",
            "RescaleIntercept",
            "RescaleType",
            "KVP",
            "ConvolutionKernel",
        ):
            delattr(ds, keyword)
        ds.SOPClassUID, ds.Modality = MRImageStorage, "MR"
        ds.ImageType = ["ORIGINAL", "PRIMARY", "M"]
        ds.ScanningSequence, ds.SequenceVariant, ds.MRAcquisitionType = "GR", "NONE", "2D"
        ds.ScanOptions = ""
        ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength = 5, 2, 1
        ds.file_meta = file_meta(ds)
    return datasets


def localizer(seed: int) -> list[Dataset]:
    """A frontal overview: attenuation summed from front to back."""
    phantom = drawn(replace(CHEST, seed=seed))
    ds = series(phantom)[0]
    overview = np.clip(phantom.hu.astype(np.int32) + 1000, 0, None).sum(axis=1)[::-1] // 32
    _frontal(ds, phantom, overview.astype(np.int16) - 1000, 0.0)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    return [ds]


def _frontal(ds: Dataset, phantom: Phantom, image: NDArray[np.int16], y: float) -> None:
    """Make a slice a frontal image (rows from the head down) at depth `y` mm."""
    (rows, columns), spacing = image.shape, phantom.spacing
    ds.Rows, ds.Columns = rows, columns
    ds.PixelSpacing = [spacing[0], spacing[2]]
    ds.SliceThickness = spacing[1]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    ds.ImagePositionPatient = [-(columns - 1) / 2 * spacing[2], y, (rows - 1) / 2 * spacing[0]]
    ds.SliceLocation = y
    stored = np.clip(image.astype(np.int32) - INTERCEPT, 0, 4095)
    ds.PixelData = stored.astype("<u2").tobytes()


def derived_image(seed: int) -> list[Dataset]:
    """A multiplanar reformat."""
    return slab(seed, ImageType=["DERIVED", "SECONDARY", "MPR"])


def no_pixel_data(seed: int) -> list[Dataset]:
    """Images without an image."""
    return slab_without(seed, "PixelData")


def unsupported_transfer_syntax(seed: int) -> list[Dataset]:
    """JPEG 2000 Part 2, which few declare and no decoder here reads."""
    datasets = slab(seed)
    for ds in datasets:
        ds.PixelData = encapsulate([blank(64, 64)])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        ds.file_meta = file_meta(ds, JPEG2000MCLossless)
    return datasets


def no_frame_of_reference(seed: int) -> list[Dataset]:
    """Positions that refer to nothing."""
    return slab_without(seed, "FrameOfReferenceUID")


def not_hu(seed: int) -> list[Dataset]:
    """No rescale to Hounsfield units."""
    return slab_without(seed, "RescaleSlope", "RescaleIntercept", "RescaleType")


def not_axial(seed: int) -> list[Dataset]:
    """Frontal slices that call themselves original."""
    phantom = drawn(replace(CHEST, seed=seed))
    datasets = []
    for number, ds in enumerate(series(phantom)[:24]):
        row = 20 + number
        _frontal(ds, phantom, phantom.hu[::-1, row], (row - 31.5) * phantom.spacing[1])
        datasets.append(ds)
    return datasets


def gantry_tilt(seed: int) -> list[Dataset]:
    """The gantry leans by 18.5 degrees while the table still moves along z."""
    lean = np.deg2rad(18.5)
    row = [float(np.round(np.cos(lean), 6)), float(np.round(-np.sin(lean), 6))]
    return slab(seed, GantryDetectorTilt=18.5, ImageOrientationPatient=[1, 0, 0, 0, *row])


def inconsistent_geometry(seed: int) -> list[Dataset]:
    """Half of the slices have larger pixels."""
    datasets = slab(seed)
    for ds in datasets[len(datasets) // 2 :]:
        ds.PixelSpacing = [6.6, 6.6]
    return datasets


def duplicate_positions(seed: int) -> list[Dataset]:
    """A second image, with other pixels, where one is already."""
    datasets = slab(seed)
    again = copy.deepcopy(datasets[10])
    again.SOPInstanceUID = uid(again.SOPInstanceUID, "again")
    again.InstanceNumber = len(datasets) + 1
    again.PixelData = datasets[11].PixelData
    again.file_meta = file_meta(again)
    return [*datasets, again]


def missing_slices(seed: int) -> list[Dataset]:
    """Three slices in the middle never came."""
    datasets = slab(seed)
    return datasets[:10] + datasets[13:]


def spacing_too_wide(seed: int) -> list[Dataset]:
    """Slices 5 mm thick, every 12.5 mm."""
    datasets = series(drawn(replace(SLAB, seed=seed, spacing=(12.5, 6.0, 6.0))))
    for ds in datasets:
        ds.SliceThickness = 5
    return datasets


def too_few_slices(seed: int) -> list[Dataset]:
    """Eight slices."""
    return series(drawn(replace(SLAB, seed=seed, shape=(8, 64, 64))))


def too_large(seed: int) -> list[Dataset]:
    """600 million voxels in 24 files of about 2 kB: each a whole, valid, blank JPEG 2000 image."""
    datasets = slab(seed)
    image = encapsulate([blank(HUGE, HUGE)])
    for ds in datasets:
        ds.Rows = ds.Columns = HUGE
        ds.PixelSpacing = [0.075, 0.075]
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 15, 1
        ds.PixelData = image
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        ds.file_meta = file_meta(ds, JPEG2000Lossless)
    return datasets


def lungs_not_found(seed: int) -> list[Dataset]:
    """A cylinder of water, as it is scanned each morning."""
    phantom = drawn(replace(SLAB, seed=seed, lesions=0))
    rng = np.random.default_rng([seed, 30])
    y, x = np.mgrid[-189:190:6, -189:190:6]
    water = np.where(np.hypot(x, y) < 110, 0.0, -1000.0) + rng.normal(0, 8, phantom.hu.shape)
    nothing = np.zeros(phantom.hu.shape, np.uint8)
    hu = np.clip(np.rint(water), -1024, 3071).astype(np.int16)
    return series(Phantom(phantom.recipe, hu, *[nothing] * 5))


REFUSALS: dict[str, Study] = {
    "corrupt-instance": corrupt_instance,
    "mixed-patient": mixed_patient,
    "no-image": no_image,
    "not-ct": not_ct,
    "localizer": localizer,
    "derived-image": derived_image,
    "no-pixel-data": no_pixel_data,
    "unsupported-transfer-syntax": unsupported_transfer_syntax,
    "no-frame-of-reference": no_frame_of_reference,
    "not-hu": not_hu,
    "not-axial": not_axial,
    "gantry-tilt": gantry_tilt,
    "inconsistent-geometry": inconsistent_geometry,
    "duplicate-positions": duplicate_positions,
    "missing-slices": missing_slices,
    "spacing-too-wide": spacing_too_wide,
    "too-few-slices": too_few_slices,
    "too-large": too_large,
    "lungs-not-found": lungs_not_found,
}
"""By refusal code, in the order of precedence."""


STUDIES: dict[str, Study] = {**REFUSALS, **WARNINGS}
"""Both, for whoever asks by code."""
