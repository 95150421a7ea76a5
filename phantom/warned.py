"""A small study for each warning: `{code: seed -> data sets}`. All of them are accepted."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from phantom.studies import Study, chest, slab


def lungs_truncated(seed: int) -> list[Dataset]:
    """The middle of the chest only: the lungs reach beyond both ends."""
    return slab(seed)


def contrast(seed: int) -> list[Dataset]:
    """Iodine in all vessels, and the header says so."""
    return chest(seed, contrast=180.0)


def sharp_kernel(seed: int) -> list[Dataset]:
    """A reconstruction for the lung window: sharp and noisy."""
    return chest(seed, kernel="sharp", noise=35.0)


def lossy_compressed(seed: int) -> list[Dataset]:
    """Decompressed again, but once compressed with loss (PS3.3 C.7.6.1.1.5)."""
    datasets = chest(seed)
    for ds in datasets:
        ds.LossyImageCompression = "01"
        ds.LossyImageCompressionRatio = 12
        ds.LossyImageCompressionMethod = "ISO_10918_1"
    return datasets


def under_18(seed: int) -> list[Dataset]:
    """A patient of twelve years."""
    datasets = chest(seed, scale=0.68)
    for ds in datasets:
        ds.PatientAge = "012Y"
        ds.PatientBirthDate = f"{int(ds.StudyDate[:4]) - 12}0101"
    return datasets


def prone(seed: int) -> list[Dataset]:
    """Head first, face down: the rows run to the front, the columns to the patient's right."""
    datasets = chest(seed)
    for ds in datasets:
        pixels = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
        ds.PixelData = pixels[::-1, ::-1].tobytes()
        ds.PatientPosition = "HFP"
        ds.ImageOrientationPatient = [-1, 0, 0, 0, -1, 0]
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [-x, -y, z]
    return datasets


WARNINGS: dict[str, Study] = {
    "lungs-truncated": lungs_truncated,
    "contrast": contrast,
    "sharp-kernel": sharp_kernel,
    "lossy-compressed": lossy_compressed,
    "under-18": under_18,
    "prone": prone,
}
"""By warning code."""
