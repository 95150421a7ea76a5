"""The model that is measured: a reference model by name, or a Triton model folder."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from services.classifier.expected import ClassificationParameters
from shared.imaging.model_parameters import (
    BadModel,
    ModelParameters,
    SegmentationParameters,
    read_parameters,
)
from shared.inference.fake import FakeInference
from training.config import MODELS
from training.evaluation.cases import Task
from training.evaluation.measure import MODELS as REFERENCE
from training.evaluation.problem import BadInput
from training.inference import Version, is_model, loaded, model_in, version_in

EXPECTED: dict[Task, type[ModelParameters]] = {
    "lung": SegmentationParameters,
    "lesion": SegmentationParameters,
    "class": ClassificationParameters,
}
"""What a model of each task says of itself."""


@dataclass(frozen=True)
class Chosen:
    """A model behind the port of the services, with the lung model that others lean on."""

    name: str
    version: str
    sha256: str
    inference: FakeInference


def choose(task: Task, wanted: str | None, threads: int) -> Chosen:
    """Raises `BadInput` for what is no model folder, or no model of this task."""
    folder = _folder(wanted or REFERENCE[task])
    try:
        version = _version(folder)
        models = {REFERENCE["lung"]: model_in(MODELS / REFERENCE["lung"], threads)}
        models[version.name] = loaded(version, threads)
        read_parameters(EXPECTED[task], version.name, models[version.name].parameters)
    except (OSError, BadModel) as error:
        raise BadInput("unusable-model", f"{folder}: {error}") from error
    digest = hashlib.sha256(version.weights.read_bytes()).hexdigest()
    return Chosen(version.name, version.number, digest, FakeInference(models))


def _version(folder: Path) -> Version:
    version = version_in(folder)
    if version is None:
        raise BadInput(
            "no-weights", f"{folder}: no version with a model.onnx that its config.pbtxt allows"
        )
    return version


def _folder(wanted: str) -> Path:
    """A name of the repository, else a path; with `/NUMBER` one of its versions."""
    for folder in (MODELS / wanted, Path(wanted)):
        if is_model(folder.resolve()):
            return folder.resolve()
    known = ", ".join(sorted(path.parent.name for path in MODELS.glob("*/config.pbtxt")))
    raise BadInput("no-such-model", f"{wanted} is neither one of {known} nor a model folder")
