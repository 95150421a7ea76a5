"""The shipped pipeline on the memory bus: every stage's real handler, and models that are planted.

The phantoms have the models' own spacing, so that a planted mask comes back voxel for voxel.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from phantom.anatomy import Phantom
from phantom.recipe import Recipe
from phantom.studies import drawn
from services.classifier.handler import handle as classify
from services.lesion_seg.handler import handle as segment_lesions
from services.lung_seg.handler import handle as segment_lungs
from services.ratio.handler import handle as measure
from services.reader.handler import handle as read
from services.writers.handler import handle as write
from shared import findings
from shared.bus.units import DEFINITION
from shared.bus.work import Handler, Ports
from shared.catalog import load_catalog, load_topics
from shared.clock import ManualClock
from shared.events.models import (
    Completeness,
    DicomReady,
    InputReady,
    Lane,
    PayloadRef,
    StageFailed,
)
from shared.events.wire import Event
from shared.findings import Measurement
from shared.identity import event_id, job_id
from shared.imaging import volume as volumes
from shared.imaging.volume import Volume
from shared.inference.fake import FakeInference, FakeModel
from shared.inference.port import Tensor
from shared.store.memory import MemoryStore
from shared.testing.manifests import ARRIVED, manifest_of
from shared.testing.stages import Rig, assemble
from shared.testing.work import DEFINITION as SHIPPED

Mask = NDArray[np.uint8]
RECIPE = Recipe(seed=11, shape=(40, 64, 64), spacing=(6.0, 6.0, 6.0), scale=0.8, lesions=3)
COVID = 0.75
_ON_CT = {
    "orientation": "LPS",
    "intensity_window": "-1000 400",
    "intensity_range": "-1 1",
    "pad_value": "-1000",
    "output": "probabilities",
    "threshold": "0.5",
}
_SEGMENTS = {"spacing_mm": "6 6 6", "pad_multiple": "8", "postprocess": ""}
_CLASSIFIES = {
    "crop": "lungs",
    "size": "8 8 8",
    "activation": "softmax",
    "labels": "0 non-COVID-19,1 COVID-19",
    "sha256": "c" * 64,
}

D = TypeVar("D")


def patient() -> Phantom:
    """The chest that most of these tests are about, with its true masks."""
    return drawn(RECIPE)


def planted(lungs: Mask, lesions: Mask) -> FakeInference:
    """Models that find exactly these voxels (z, y, x), whatever they are shown."""
    return FakeInference(models(lungs, lesions))


def models(lungs: Mask, lesions: Mask) -> dict[str, FakeModel]:
    """The same by name, for a test that wants another in the place of one."""
    return {
        "lung_seg": _segments(lungs, "softmax", "0 background,1 left lung,2 right lung", "a"),
        "lesion_seg": _segments(lesions, "sigmoid", "0 background,1 lesion", "b"),
        "covid_classifier": FakeModel(
            lambda _: {"probabilities": np.array([[1 - COVID, COVID]], np.float32)},
            _ON_CT | _CLASSIFIES,
        ),
    }


def _segments(mask: Mask, activation: str, labels: str, letter: str) -> FakeModel:
    values = (0, 1, 2) if activation == "softmax" else (1,)
    found = np.stack([mask == value for value in values]).astype(np.float32)

    def answer(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        shape = inputs["volume"].shape[2:]
        padded = np.zeros((1, len(values), *shape), np.float32)
        if activation == "softmax":
            padded[0, 0] = 1
        z, y, x = (min(pair) for pair in zip(mask.shape, shape, strict=True))
        padded[0, :, :z, :y, :x] = found[:, :z, :y, :x]
        return {"probabilities": padded}

    said = {"activation": activation, "labels": labels, "sha256": letter * 64}
    return FakeModel(answer, _ON_CT | _SEGMENTS | said)


@dataclass(frozen=True)
class Analysis:
    """What came of a study."""

    rig: Rig
    store: MemoryStore

    def payload(self, name: str) -> PayloadRef:
        """A payload by `stage.port`."""
        for record in self.rig.bus.records:
            payloads = getattr(record.event.data, "payloads", {})
            if name in payloads:
                found: PayloadRef = payloads[name]
                return found
        raise KeyError(name)

    def volume(self, name: str) -> Volume:
        return volumes.read(self.store.path(self.payload(name)))

    def measurement(self) -> Measurement:
        return findings.read_measurement(self.payload("ratio.measurement"), self.store)

    def dicom(self, output: str) -> Dataset:
        """An object that writers made."""
        [made] = [ready for ready in self.told(DicomReady) if ready.output == output]
        content = self.store.get(made.payloads[f"{made.stage}.dicom"])
        return dcmread(BytesIO(content))

    def told(self, kind: type[D]) -> list[D]:
        """The data of the distinct events of a kind."""
        found = {r.event.id: r.event.data for r in self.rig.bus.records}
        return [data for data in found.values() if isinstance(data, kind)]

    def failures(self) -> dict[str, list[str]]:
        """stage → the codes for which it failed or refused."""
        return {
            failure.stage: [reason.code for reason in failure.reasons]
            for failure in self.told(StageFailed)
        }

    def artifacts(self) -> set[str]:
        """Every payload that was kept, named by its content."""
        return set(self.store.keys("artifacts/"))


async def analysed(datasets: Sequence[Dataset], inference: FakeInference) -> Analysis:
    """Take a study through every stage."""
    store = MemoryStore()
    clock = ManualClock(ARRIVED)
    rig = assemble(load_catalog(), load_topics(), store, _ports(store, inference), clock)
    await rig.bus.publish(_input_ready(datasets, store), Lane.ROUTINE, 0)
    await rig.bus.settle()
    return Analysis(rig, store)


def _ports(store: MemoryStore, inference: FakeInference) -> dict[str, Ports]:
    asking: dict[str, Callable[..., Any]] = {
        "lung_seg": segment_lungs,
        "lesion_seg": segment_lesions,
        "classifier": classify,
    }
    plain: dict[str, Callable[..., Any]] = {"reader": read, "ratio": measure, "writers": write}
    handlers: dict[str, Handler] = {
        name: partial(handle, store=store) for name, handle in plain.items()
    }
    handlers |= {
        name: partial(handle, store=store, inference=inference) for name, handle in asking.items()
    }
    probes = {"store": store.probe, "triton": inference.probe}
    return {name: Ports(handler, probes) for name, handler in handlers.items()}


def _input_ready(datasets: Sequence[Dataset], store: MemoryStore) -> Event:
    manifest, ref = manifest_of(datasets, store)
    job = job_id(manifest.case_id, 1, ref.sha256)
    data = InputReady(
        job_id=job,
        case_id=manifest.case_id,
        version=1,
        run=1,
        pipeline=manifest.pipeline,
        lane=Lane.ROUTINE,
        received_at=ARRIVED,
        stage="ingest",
        started_at=ARRIVED,
        finished_at=ARRIVED,
        payloads={
            DEFINITION: store.put(SHIPPED.read_bytes(), "application/yaml"),
            "ingest.manifest": ref,
        },
        completeness=Completeness(rule="quiet-time", instances=len(datasets), waited_s=5),
    )
    name = event_id(job, 1, "ingest", "input-ready")
    return Event(name, "ingest", "input-ready", job, ARRIVED, "", data)
