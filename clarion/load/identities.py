"""Fresh identities: a study that was sent before would rightly make no second job.

This is not de-identification. What is sent stays on this machine, and only what tells studies
apart is changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from phantom.dicom import Identity, uid

_OWN = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
_MOST = 10**6


@dataclass(frozen=True)
class Run:
    """One run of the generator; `number` is another each time, so its identities are new."""

    number: int

    def seed(self, study: int) -> int:
        """A seed that no other study of any run has, as long as a run has a million at most."""
        return self.number * _MOST + study

    def identity(self, study: int) -> Identity:
        """The invented patient of a study."""
        return Identity.of(self.seed(study))


def own_uids(datasets: Iterable[Dataset]) -> frozenset[str]:
    """The UIDs that name a study, and its series, instances and frames of reference."""
    return frozenset(str(ds[name].value) for ds in datasets for name in _OWN if ds.get(name))


def renew(dataset: Dataset, own: frozenset[str], seed: int) -> None:
    """Give a data set of a study new UIDs and another patient, in place.

    Every UID of `own` is replaced wherever it stands, in sequences too, so that what refers to an
    instance of the study still does; equal seeds give equal UIDs.
    """
    for element in dataset.iterall():
        if element.VR == "UI" and element.value:
            element.value = _renewed(element.value, own, seed)
    dataset.PatientName = f"Load^{seed}"
    dataset.PatientID = f"LOAD-{seed}"
    dataset.AccessionNumber = f"L{seed % 10**15:015d}"
    if "file_meta" in dataset.__dict__ and dataset.get("SOPInstanceUID"):
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID


def _renewed(value: Any, own: frozenset[str], seed: int) -> Any:
    if isinstance(value, MultiValue):
        return [_renewed(each, own, seed) for each in value]
    return uid("load", seed, value) if str(value) in own else value
