"""The masks of lungs and lesions in, the ratio of their volumes out."""

from collections.abc import Mapping

from services.ratio.measure import measure
from shared import findings, provenance
from shared.bus.work import Produced, Work
from shared.imaging import volume as volumes
from shared.store.port import PayloadStore
from shared.telemetry.tracing import span


def handle(work: Work, *, store: PayloadStore) -> Produced:
    """Raises `ValueError` for masks that can't be joined: a defect of a stage before."""
    with span("measure"):
        lungs = volumes.read(store.path(work.input("lungs")))
        lesions = volumes.read(store.path(work.input("lesions")))
        found = measure(lungs, lesions, names_of_lungs(work))
    return Produced(
        {
            "measurement": findings.keep(found, store),
            "provenance": provenance.keep(provenance.of(work), store),
        }
    )


def names_of_lungs(work: Work) -> Mapping[int, str]:
    """What the definition says that the labels of the lungs' mask are."""
    stage = work.sources["lungs"].partition(".")[0]
    labels = work.definition.stages[stage].parameters["labels"]
    return {int(value): str(name) for value, name in labels.items()}
