"""A finding in, a DICOM object out: the only user of the payload store."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from services.writers.encapsulated_pdf import encapsulated
from services.writers.heat import Heat, heat_of
from services.writers.key_slices import draw
from services.writers.report import (
    CLASSIFICATION_TITLE,
    RATIO_TITLE,
    Study,
    classification_pdf,
    ratio_pdf,
)
from services.writers.segmentation import segmentation
from services.writers.source import Mask, source_of
from services.writers.stamp import Stamp, part10
from shared import findings, manifest, provenance, selection
from shared.bus.work import Produced, Work
from shared.imaging import volume
from shared.provenance import ModelIdentity
from shared.store.port import PayloadMissing, PayloadStore
from shared.telemetry.tracing import span

MEDIA_TYPE = "application/dicom"

Writer = Callable[[Work, Study, PayloadStore], Dataset]


def handle(work: Work, *, store: PayloadStore) -> Produced:
    """Raises `KeyError` for an operation or an output that the definition does not name."""
    write, ports = OPERATIONS[work.operation]
    with span("read"):
        study = _study(work, store, tuple(_model(work, port, store) for port in ports))
    with span("write"):
        made = write(work, study, store)
        content = part10(made)
    with span("keep"):
        ref = store.put(content, MEDIA_TYPE)
    return Produced({"dicom": ref}, facts=_facts(work, made))


def _segmentation(work: Work, study: Study, store: PayloadStore) -> Dataset:
    mask, labels = _mask(work, "mask", store), _labels(work)
    return segmentation(mask, labels, study.source, study.stamp, study.stamp.models[0])


def _classification_report(work: Work, study: Study, store: PayloadStore) -> Dataset:
    found = findings.read_classification(work.input("classification"), store)
    stamp = replace(study.stamp, models=(*study.stamp.models, found.model))
    ct = volume.read(store.path(work.input("volume")))
    heat = _heat(work, store)
    pictures = draw(ct, _mask(work, "lungs", store), heat=heat)
    pdf = classification_pdf(replace(study, stamp=stamp), found, pictures, heat)
    return encapsulated(pdf, CLASSIFICATION_TITLE, study.source, stamp)


def _ratio_report(work: Work, study: Study, store: PayloadStore) -> Dataset:
    found = findings.read_measurement(work.input("measurement"), store)
    ct = volume.read(store.path(work.input("volume")))
    lungs, lesions = _mask(work, "lungs", store), _mask(work, "lesions", store)
    pictures = draw(ct, lungs, lesions * (lungs > 0))
    pdf = ratio_pdf(study, found, pictures)
    return encapsulated(pdf, RATIO_TITLE, study.source, study.stamp)


def _heat(work: Work, store: PayloadStore) -> Heat | None:
    """What the model told of the places that moved it, where a pipeline wires that in."""
    if "saliency" not in work.sources:
        return None
    return heat_of(volume.read(store.path(work.input("saliency"))))


def _mask(work: Work, port: str, store: PayloadStore) -> Mask:
    """A mask (z, y, x), mapped from its file."""
    return np.asarray(volume.read(store.path(work.input(port))).array, np.uint8)


OPERATIONS: dict[str, tuple[Writer, tuple[str, ...]]] = {
    "seg": (_segmentation, ("mask",)),
    "classification-report": (_classification_report, ("lungs",)),
    "ratio-report": (_ratio_report, ("lungs", "lesions")),
}
"""What writes each operation's object, and the masks whose models it names."""


def _study(work: Work, store: PayloadStore, models: tuple[ModelIdentity, ...]) -> Study:
    """What every object needs: the source's header and images, and who it is itself."""
    behind = work.companion("volume", "selection")
    if behind is None:
        raise PayloadMissing("selection")
    received = manifest.read(work.input("source"), store)
    chosen = selection.read(behind, store)
    source = source_of(received, chosen, manifest.InstanceFiles(received, store))
    stamp = Stamp(
        job_id=work.job_id,
        stage=work.stage,
        digest=_provenance(work, behind.sha256).digest,
        version=work.version,
        pipeline=work.definition.pipeline,
        series_number=int(work.parameters["series_number"]),
        moment=manifest.local_time(received),
        models=models,
    )
    return Study(source, chosen, stamp, work.warnings)


def _provenance(work: Work, selection_sha256: str) -> provenance.Provenance:
    """Warnings are printed and slices referred to, so the UIDs follow from these too."""
    own = provenance.of(work)
    inputs = {**own.inputs, "volume.selection": selection_sha256}
    return replace(own, inputs=inputs, parameters={**own.parameters, "warnings": _raised(work)})


def _raised(work: Work) -> list[str]:
    return sorted(set(work.warnings))


def _model(work: Work, port: str, store: PayloadStore) -> ModelIdentity:
    """The model behind a mask; the stage's service where it does not say."""
    behind = work.companion(port, "provenance")
    told = provenance.read(behind, store).model if behind else None
    service = work.definition.stages[_stage_behind(work, port)].service
    return told or ModelIdentity(service, "unknown", "", "")


def _labels(work: Work) -> dict[int, str]:
    """The labels of the mask, as the definition gives them to the stage that made it."""
    labels = work.definition.stages[_stage_behind(work, "mask")].parameters["labels"]
    return {int(value): str(name) for value, name in labels.items()}


def _stage_behind(work: Work, port: str) -> str:
    return work.sources[port].partition(".")[0]


def _facts(work: Work, made: Dataset) -> dict[str, Any]:
    """What `dicom-ready` adds: which output of the pipeline this is, and our own UIDs."""
    own = f"{work.stage.partition('~')[0]}.dicom"
    names = {output.source: name for name, output in work.definition.outputs.items()}
    return {
        "output": names[own],
        "kind": work.definition.outputs[names[own]].kind,
        "sop_class_uid": str(made.SOPClassUID),
        "sop_instance_uid": str(made.SOPInstanceUID),
        "series_instance_uid": str(made.SeriesInstanceUID),
    }
