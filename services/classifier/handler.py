"""A volume and its lungs in, the probability of each class out."""

from pydantic import BaseModel, ConfigDict

from services.classifier.crop import lung_crop
from services.classifier.expected import ClassificationParameters
from services.classifier.probabilities import as_csv, of_classes
from shared import findings, provenance
from shared.bus.work import Produced, Work
from shared.findings import Classification
from shared.imaging import volume as volumes
from shared.imaging.model_parameters import read_parameters
from shared.imaging.segment import ask, scaled
from shared.inference.port import Inference
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
        crop = scaled(lung_crop(volume, lungs, expected), expected)
    probabilities = of_classes(ask(crop, name, expected, inference, work.lane), expected.labels)
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
                "provenance": provenance.keep(provenance.of(work, identity), store),
            }
        )
