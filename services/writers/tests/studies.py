"""A study as the writers find it in the store: manifest, volume, selection, masks, findings."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from phantom import Recipe, draw
from phantom.dicom import series
from services.writers.source import Mask, Source, source_of
from services.writers.stamp import Stamp
from shared import findings, selection
from shared.bus.work import Work
from shared.catalog import ROOT
from shared.events.models import PayloadRef
from shared.findings import Classification, Lung, Measurement, Region
from shared.imaging.resample import at_size, grid_of, resampled
from shared.imaging.saliency import on_box
from shared.imaging.volume import IDENTITY, MEDIA_TYPE, Volume, encode
from shared.manifest import InstanceFiles, Manifest, local_time
from shared.provenance import ModelIdentity, Provenance
from shared.provenance import keep as keep_provenance
from shared.selection import Geometry, Selection, Slice, Stack
from shared.store.memory import MemoryStore
from shared.testing.manifests import manifest_of
from shared.testing.work import work_for

REAL = ROOT.parent / "shared/data/chest-ct-real"
LUNG_LABELS = {1: "left lung", 2: "right lung"}
LESION_LABELS = {1: "lesion"}
LUNG_MODEL = ModelIdentity("lung_seg", "1", "a1" * 32, "Clarion lung segmentation")
LESION_MODEL = ModelIdentity("lesion_seg", "1", "b2" * 32, "Clarion lesion segmentation")
COVID_MODEL = ModelIdentity("covid_classifier", "1", "c3" * 32, "Clarion COVID-19 classification")
JOB = "4f0ac5fe-8c53-5bfc-8e26-1c20f7c1d1a4"


@dataclass
class Study:
    """One case in a store of its own."""

    store: MemoryStore
    manifest: Manifest
    manifest_ref: PayloadRef
    selection: Selection
    ct: Volume
    lungs: Mask
    lesions: Mask
    models: dict[str, ModelIdentity] = field(
        default_factory=lambda: {"lung-seg": LUNG_MODEL, "lesion-seg": LESION_MODEL}
    )

    @property
    def files(self) -> InstanceFiles:
        return InstanceFiles(self.manifest, self.store)

    @property
    def source(self) -> Source:
        return source_of(self.manifest, self.selection, self.files)

    @property
    def ordered(self) -> list[Dataset]:
        """The source's data sets along the volume's +z."""
        return [
            self.files.dataset(self.manifest.instances[plane.instance])
            for plane in self.selection.slices
        ]

    def stamp(self, stage: str = "lung-dicom-seg", version: int = 1) -> Stamp:
        moment = local_time(self.manifest)
        return Stamp(JOB, stage, "d4" * 32, version, "covid19-ct", 9001, moment, (LUNG_MODEL,))

    def work(self, stage: str, **said: Any) -> Work:
        """The stage of the shipped pipeline, with all before it done."""
        return work_for(stage, self.store, self._payloads(), **said)

    def _payloads(self) -> dict[str, PayloadRef]:
        put = self.store.put
        ct, lungs, lesions = self.ct, self.ct.like(self.lungs), self.ct.like(self.lesions)
        return {
            "ingest.manifest": self.manifest_ref,
            "reader.volume": put(encode(ct), MEDIA_TYPE),
            "reader.selection": selection.keep(self.selection, self.store),
            "lung-seg.mask": put(encode(lungs), MEDIA_TYPE),
            "lung-seg.provenance": self._provenance("lung-seg"),
            "lesion-seg.mask": put(encode(lesions), MEDIA_TYPE),
            "lesion-seg.provenance": self._provenance("lesion-seg"),
            "classifier.classification": findings.keep(classification(), self.store),
            "classifier.saliency": put(encode(saliency_of(self)), MEDIA_TYPE),
            "ratio.measurement": findings.keep(measurement(), self.store),
        }

    def _provenance(self, stage: str) -> PayloadRef:
        made = Provenance(stage, stage, "0.1.0", {}, {}, self.models[stage])
        return keep_provenance(made, self.store)


def phantom_study(**manifest: Any) -> Study:
    """A small phantom with pneumonia, and its truth as masks."""
    drawn = draw(Recipe(seed=7, shape=(28, 96, 96), spacing=(10.0, 4.0, 4.0), lesions=8))
    return study_of(series(drawn), drawn.lungs, drawn.lesions, **manifest)


def study_of(
    files: Path | Iterable[Path | Dataset],
    lungs: Mask | None = None,
    lesions: Mask | None = None,
    **manifest: Any,
) -> Study:
    """The study of an axial series; without masks the air inside the body stands for lungs."""
    store = MemoryStore()
    made, ref = manifest_of(files, store, **manifest)
    heights = [instance.header["ImagePositionPatient"][2] for instance in made.instances]
    order = [int(place) for place in np.argsort(heights)]
    ct = _volume(made, order, InstanceFiles(made, store))
    if lungs is None:
        lungs = _air_inside(ct.array)
    chosen = _selection(made, order, ct)
    none = np.zeros_like(lungs)
    return Study(store, made, ref, chosen, ct, lungs, none if lesions is None else lesions)


def saliency_of(study: Study, strength: float = 0.8) -> Volume:
    """What a model might tell that is moved by the lesions: their share of coarse voxels."""
    box = grid_of(study.ct)
    grid = at_size(box, (24, 24, 14))
    values = resampled(study.ct.like(study.lesions.astype(np.float32)), grid, "averaged")
    return on_box(strength * values, box)


def classification(probability: float = 0.837) -> Classification:
    return Classification(
        probabilities={"non-COVID-19": 1 - probability, "COVID-19": probability},
        threshold=0.5,
        model=COVID_MODEL,
        training_data="procedural chest CT phantoms only",
    )


def measurement(share: float = 0.1) -> Measurement:
    """Both lungs alike, the given share of them lesion."""
    third = region(700, share)
    thirds = {"upper": third, "middle": third, "lower": third}
    lung = Lung(whole=region(2100, share), thirds=thirds)
    return Measurement(
        whole=region(4200, share),
        thirds={name: region(1400, share) for name in thirds},
        lungs={"left lung": lung, "right lung": lung},
        lesion_outside_ml=1.2,
    )


def region(lung_ml: float, share: float) -> Region:
    return Region(lung_ml=lung_ml, lesion_ml=lung_ml * share, ratio_percent=share * 100)


def received(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def _volume(made: Manifest, order: list[int], files: InstanceFiles) -> Volume:
    datasets = [files.dataset(made.instances[place], False) for place in order]
    first = datasets[0]
    planes = [
        ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for ds in datasets
    ]
    origin = tuple(float(value) for value in first.ImagePositionPatient)
    step = float(datasets[1].ImagePositionPatient[2]) - origin[2]
    down, across = (float(value) for value in first.PixelSpacing)
    array = np.clip(np.stack(planes), -1024, 3071).astype("<i2")
    return Volume(array, (across, down, step), (origin[0], origin[1], origin[2]), IDENTITY)


def _selection(made: Manifest, order: list[int], ct: Volume) -> Selection:
    header = made.instances[order[0]].header
    z, y, x = ct.array.shape
    uid = header["SeriesInstanceUID"]
    stack = Stack(stack="the only one", series_instance_uid=uid, slices=z, chosen=True, reason="")
    return Selection(
        stacks=(stack,),
        slices=tuple(
            Slice(instance=place, sop_instance_uid=made.instances[place].sop_instance_uid)
            for place in order
        ),
        geometry=Geometry(
            shape=(z, y, x),
            spacing=ct.spacing,
            origin=ct.origin,
            direction=ct.direction,
            frame_of_reference_uid=header["FrameOfReferenceUID"],
        ),
    )


def _air_inside(hu: NDArray[Any]) -> Mask:
    """A rough stand-in for lungs: air in the middle of the image; 1 left, 2 right."""
    y, x = hu.shape[1:]
    air = hu < -400
    air[:, : y // 4], air[:, 3 * y // 4 :] = False, False
    air[:, :, : x // 6], air[:, :, 5 * x // 6 :] = False, False
    sides = np.where(np.arange(x) < x // 2, 2, 1)
    return np.where(air, sides, 0).astype(np.uint8)
