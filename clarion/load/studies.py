"""Studies to send: phantoms with a new patient each, or studies of folders with new UIDs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.multival import MultiValue
from pydicom.uid import (
    UID,
    DigitalXRayImageStorageForPresentation,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from clarion.failure import Failure
from clarion.load.identities import Run, own_uids, renew
from clarion.load.plan import CT, Order
from clarion.part10 import Instance, find
from phantom.anatomy import Phantom
from phantom.dicom import file_meta, series, write
from services.ingest.cases import admits
from shared.dicom.headers import Headers
from shared.manifest import INDEXED
from shared.pipelines.definition import InputRules

_OTHERS: dict[str, tuple[UID, int]] = {
    "DX": (DigitalXRayImageStorageForPresentation, 2),
    "US": (UltrasoundImageStorage, 8),
    "MR": (MRImageStorage, 20),
    "OT": (SecondaryCaptureImageStorage, 1),
}
"""SOP class and images of a study that no pipeline admits."""
_HEADER = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"]


@dataclass(frozen=True)
class Recorded:
    """A study in files, with the UIDs that are its own."""

    instances: tuple[Instance, ...]
    own: frozenset[str]


Source = Phantom | Recorded


@dataclass(frozen=True)
class Study:
    """A study that lies ready to be sent."""

    study_instance_uid: str
    instances: tuple[Instance, ...]
    headers: tuple[Headers, ...]
    """What ingest will know of each instance."""

    def makes_job(self, rules: InputRules) -> bool:
        """Whether the pipeline's rules admit an instance of it."""
        return any(admits(rules, each) for each in self.headers)


def recorded(paths: Iterable[Path]) -> tuple[Recorded, ...]:
    """The studies below the paths, in the order of their first file. Raises Failure: none."""
    groups: dict[str, list[tuple[Instance, Dataset]]] = defaultdict(list)
    for instance in find(paths).instances:
        header = dcmread(instance.path, specific_tags=[*_HEADER])
        groups[str(header.get("StudyInstanceUID", ""))].append((instance, header))
    if not groups:
        raise Failure("no-studies: no DICOM instance lies below the folders of --from")
    return tuple(
        Recorded(tuple(each for each, _ in found), own_uids(header for _, header in found))
        for found in groups.values()
    )


def is_admitted(source: Recorded, rules: InputRules) -> bool:
    """Whether a study in files makes a job."""
    read = (dcmread(each.path, stop_before_pixels=True) for each in source.instances)
    return any(admits(rules, _headers(dataset)) for dataset in read)


def make(order: Order, source: Source, run: Run, folder: Path) -> Study:
    """Write the study of an order into `folder`, which is made."""
    if isinstance(source, Phantom):
        datasets = series(source, run.identity(order.number))
        if order.modality != CT:
            datasets = _another(datasets, order.modality)
    else:
        datasets = _renewed(source, run.seed(order.number))
    paths = write(datasets, folder)
    return Study(
        str(datasets[0].StudyInstanceUID),
        tuple(_instance(ds, path) for ds, path in zip(datasets, paths, strict=True)),
        tuple(map(_headers, datasets)),
    )


def _headers(dataset: Dataset) -> Headers:
    values = {each.keyword: each.value for each in dataset if each.keyword in INDEXED}
    return Headers({k: [*v] if isinstance(v, MultiValue) else v for k, v in values.items()})


def _renewed(source: Recorded, seed: int) -> list[Dataset]:
    datasets: list[Dataset] = [dcmread(instance.path) for instance in source.instances]
    for dataset in datasets:
        renew(dataset, source.own, seed)
    return datasets


def _another(datasets: Sequence[Dataset], modality: str) -> list[Dataset]:
    """The first images, under the headers of another modality: enough for a router."""
    sop_class, images = _OTHERS[modality]
    for dataset in datasets[:images]:
        dataset.Modality, dataset.SOPClassUID = modality, sop_class
        dataset.file_meta = file_meta(dataset)
    return list(datasets[:images])


def _instance(dataset: Dataset, path: Path) -> Instance:
    meta = dataset.file_meta
    return Instance(
        path=path,
        sop_class_uid=str(meta.MediaStorageSOPClassUID),
        sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
        transfer_syntax_uid=str(meta.TransferSyntaxUID),
        size=path.stat().st_size,
    )
