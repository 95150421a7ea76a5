"""A volume and its lungs in, the probability of each class out."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from services.classifier.crop import crop_of
from services.classifier.expected import ClassificationParameters
from services.classifier.probabilities import as_csv, of_classes
from services.classifier.saliency import map_of
from shared import findings, provenance
from shared.bus.work import Produced, Work
from shared.findings import Classification
from shared.imaging import volume as volumes
from shared.imaging.model_parameters import read_parameters
from shared.imaging.segment import as_probabilities, scaled
from shared.inference.port import Inference, Tensor
from shared.store.port import PayloadStore
from shared.telemetry.tracing import span

CSV_MEDIA_TYPE = "text/csv"


class StageParameters(BaseModel):
    """What a pipeline definition says to this stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str


def handle(work: Work, *, store: PayloadStore, inference: Inference) -> Produced:
    """Raises `BadModel` for a model whose parameters don't describe a classifier."""
    name = StageParameters.model_validate(dict(work.parameters)).model
    identity = inference.identity(name)
    expected = read_parameters(ClassificationParameters, name, inference.parameters(name))
    with span("prepare"):
        volume = volumes.read(store.path(work.input("volume")))
        lungs = volumes.read(store.path(work.input("lungs")))
        crop = crop_of(volume, lungs, expected)
        tensor = scaled(crop.hu, expected)
    answer = _asked(tensor, name, expected, inference, work)
    output = as_probabilities(np.asarray(answer[expected.output_tensor], np.float32), expected)
    probabilities = of_classes(output, expected.labels)
    saliency = map_of(answer.get(expected.saliency_output or ""), crop.grid)
    found = Classification(
        probabilities=probabilities,
        threshold=expected.threshold,
        model=identity,
        training_data=expected.training_data,
    )
    with span("keep"):
        return Produced(
            {
                "classification": findings.keep(found, store),
                "csv": store.put(as_csv(probabilities), CSV_MEDIA_TYPE),
                "saliency": store.put(volumes.encode(saliency), volumes.MEDIA_TYPE),
                "provenance": provenance.keep(provenance.of(work, identity), store),
            }
        )


def _asked(
    tensor: NDArray[np.float32],
    model: str,
    expected: ClassificationParameters,
    inference: Inference,
    work: Work,
) -> dict[str, Tensor]:
    """Every output that the model has, of one image, in one inference."""
    names = tuple(filter(None, (expected.output_tensor, expected.saliency_output)))
    answer = inference.infer(model, {expected.input_tensor: tensor[None, None]}, names, work.lane)
    return {name: output[0] for name, output in answer.items()}
