"""A phantom as an axial CT series, with the attributes that a scanner writes (PS3.3 A.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid5

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from phantom.anatomy import Phantom
from phantom.recipe import Recipe

NAMESPACE = UUID("5d2f8a36-0c5e-4f0e-9a1c-7b6a4e21c9d3")
INTERCEPT = -1024
WOMEN = ("Vera", "Ida", "Paula", "Nora", "Selma", "Tilda")
MEN = ("Viktor", "Emil", "Anton", "Oskar", "Jonas", "Moritz")


@dataclass(frozen=True)
class Identity:
    """An invented patient and examination. The UIDs follow from `seed`, whatever the names are:
    a corrected name keeps them, as it does in a hospital."""

    seed: int
    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    age: str
    study_date: str
    study_time: str
    accession_number: str
    timezone: str = "+0100"

    @classmethod
    def of(cls, seed: int) -> Identity:
        """The same invented person for the same seed."""
        rng = np.random.default_rng([seed, 20])
        sex = "F" if rng.random() < 0.5 else "M"
        name = str(rng.choice(WOMEN if sex == "F" else MEN))
        age = int(rng.integers(24, 88))
        month, day = int(rng.integers(1, 13)), int(rng.integers(1, 29))
        return cls(
            seed=seed,
            patient_name=f"Phantom^{name}",
            patient_id=f"PHANTOM-{seed:06d}",
            birth_date=f"{2024 - age}0101",
            sex=sex,
            age=f"{age:03d}Y",
            study_date=f"2024{month:02d}{day:02d}",
            study_time=f"{int(rng.integers(7, 20)):02d}{int(rng.integers(60)):02d}00",
            accession_number=f"A{seed:08d}",
        )


def uid(*parts: object) -> UID:
    """A UID below 2.25 that follows from its parts (PS3.5 B.2)."""
    return UID(f"2.25.{uuid5(NAMESPACE, '/'.join(map(str, parts))).int}")


def series(phantom: Phantom, identity: Identity | None = None) -> list[Dataset]:
    """One data set for each slice, from the head to the feet; edit them as a test needs it.

    Study and frame of reference follow from the identity's seed, the series from the recipe too:
    two recipes of one seed are two reconstructions of one examination.
    """
    who = identity or Identity.of(phantom.recipe.seed)
    top = phantom.hu.shape[0] - 1
    return [_slice(phantom, who, top - row, row + 1) for row in range(top + 1)]


def write(datasets: Iterable[Dataset], folder: Path) -> list[Path]:
    """Write each data set to a file of its own in `folder`, which is made; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, dataset in enumerate(datasets, start=1):
        path = folder / f"IM{number:05d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _slice(phantom: Phantom, who: Identity, index: int, number: int) -> Dataset:
    recipe = phantom.recipe
    series_uid = uid(who.seed, "series", recipe)
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.TimezoneOffsetFromUTC = who.timezone
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = uid(series_uid, number)
    _patient_and_study(ds, who)
    _series(ds, who, recipe, series_uid)
    _acquisition(ds, who, recipe, number)
    _plane(ds, phantom, index)
    _pixels(ds, phantom, index)
    ds.file_meta = file_meta(ds)
    return ds


def file_meta(ds: Dataset, transfer_syntax: UID = ExplicitVRLittleEndian) -> FileMetaDataset:
    """File Meta Information for a data set (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = transfer_syntax
    return meta


def _patient_and_study(ds: Dataset, who: Identity) -> None:
    ds.PatientName = who.patient_name
    ds.PatientID = who.patient_id
    ds.PatientBirthDate = who.birth_date
    ds.PatientSex = who.sex
    ds.PatientAge = who.age
    ds.StudyInstanceUID = uid(who.seed, "study")
    ds.StudyID = str(who.seed % 10**8)
    ds.StudyDate = who.study_date
    ds.StudyTime = who.study_time
    ds.StudyDescription = "CT chest"
    ds.AccessionNumber = who.accession_number
    ds.ReferringPhysicianName = ""


def _series(ds: Dataset, who: Identity, recipe: Recipe, series_uid: UID) -> None:
    ds.Modality = "CT"
    ds.SeriesInstanceUID = series_uid
    ds.SeriesNumber = 2 if recipe.kernel == "soft" else 3
    ds.SeriesDate, ds.SeriesTime = who.study_date, who.study_time
    ds.SeriesDescription = f"Thorax {recipe.spacing[0]:.1f} {recipe.kernel}"
    ds.ProtocolName = "Thorax"
    ds.BodyPartExamined = "CHEST"
    ds.PatientPosition = "HFS"
    ds.FrameOfReferenceUID = uid(who.seed, "frame of reference")
    ds.PositionReferenceIndicator = ""
    ds.Manufacturer = "Phantom Works"
    ds.ManufacturerModelName = "Procedural CT"
    ds.InstitutionName = "Phantom Hospital"
    ds.StationName = "PHANTOMCT"
    ds.DeviceSerialNumber = "0001"
    ds.SoftwareVersions = "1"


def _acquisition(ds: Dataset, who: Identity, recipe: Recipe, number: int) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.AcquisitionNumber = 1
    ds.InstanceNumber = number
    ds.AcquisitionDate, ds.AcquisitionTime = who.study_date, who.study_time
    ds.ContentDate, ds.ContentTime = who.study_date, who.study_time
    ds.InstanceCreationDate, ds.InstanceCreationTime = who.study_date, who.study_time
    ds.KVP = 120
    ds.ScanOptions = "HELICAL MODE"
    ds.GantryDetectorTilt = 0
    ds.RotationDirection = "CW"
    ds.TableHeight = 150
    ds.ExposureTime = 500
    ds.XRayTubeCurrent = 160
    ds.Exposure = 80
    ds.FilterType = "BODY"
    ds.ConvolutionKernel = "STANDARD" if recipe.kernel == "soft" else "LUNG"
    ds.ReconstructionDiameter = _ds(recipe.shape[2] * recipe.spacing[2])
    ds.DataCollectionDiameter = 500
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"
    if recipe.contrast:
        ds.ContrastBolusAgent = "Iodine 300 mg/ml"
        ds.ContrastBolusRoute = "IV"


def _plane(ds: Dataset, phantom: Phantom, index: int) -> None:
    """Image Plane module: an axial image of a patient who lies head first on the back."""
    (rows, columns), spacing = phantom.hu.shape[1:], phantom.spacing
    middle = (phantom.hu.shape[0] - 1) / 2
    z = (index - middle) * spacing[0]
    corner = (-(columns - 1) / 2 * spacing[2], -(rows - 1) / 2 * spacing[1], z)
    ds.PixelSpacing = [_ds(spacing[1]), _ds(spacing[2])]
    ds.SliceThickness = _ds(spacing[0])
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [_ds(value) for value in corner]
    ds.SliceLocation = _ds(z)


def _pixels(ds: Dataset, phantom: Phantom, index: int) -> None:
    """Image Pixel module: 12 bits without a sign, or 16 with one where padding is below -1024."""
    hu, padding = phantom.hu[index], phantom.recipe.padding
    signed = int(phantom.hu.min()) < INTERCEPT
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = hu.shape
    ds.BitsAllocated = 16
    ds.BitsStored = 16 if signed else 12
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(signed)
    if padding is not None:
        ds.add_new("PixelPaddingValue", "SS" if signed else "US", padding - INTERCEPT)
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = INTERCEPT, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = (40, 400) if phantom.recipe.kernel == "soft" else (-600, 1500)
    ds.PixelData = (hu - np.int16(INTERCEPT)).astype("<i2" if signed else "<u2").tobytes()
    ds["PixelData"].VR = "OW"


def _ds(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2)."""
    return f"{value:.6f}".rstrip("0").rstrip(".") if value else "0"
