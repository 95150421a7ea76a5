"""What the analysis services find, as models: the JSON that `writers` and the ledger read.

Volumes are in ml, ratios in per cent. Nothing here names a patient.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from shared.events.models import Model, PayloadRef
from shared.provenance import ModelIdentity
from shared.store.port import PayloadStore

MEDIA_TYPE = "application/json"

Probability = Annotated[float, Field(ge=0, le=1)]
Millilitres = Annotated[float, Field(ge=0)]
Third = Literal["upper", "middle", "lower"]


class Classification(Model):
    """The probability of each class, in the model's order of labels, and who said so."""

    probabilities: Mapping[str, Probability]
    threshold: Probability | None = Field(
        default=None, description="the model's own operating point, where it declares one"
    )
    model: ModelIdentity
    training_data: str = Field(default="", description="as the model declares it")


class Region(Model):
    """How much lung there is in a region, and how much of that is lesion."""

    lung_ml: Millilitres
    lesion_ml: Millilitres = Field(description="inside the lung only")
    ratio_percent: float | None = Field(description="lesion of lung; None where there is no lung")


class Lung(Model):
    """One lung; the thirds divide its own extent along the axis from head to feet."""

    whole: Region
    thirds: Mapping[Third, Region]


class Measurement(Model):
    """The lesion-to-lung ratio: of both lungs, of each, and of the thirds."""

    whole: Region
    thirds: Mapping[Third, Region] = Field(description="the thirds of all lungs, added up")
    lungs: Mapping[str, Lung] = Field(description="by the label's name: left lung, right lung")
    lesion_outside_ml: Millilitres = Field(description="found outside the lungs, counted nowhere")


def keep(finding: Classification | Measurement, store: PayloadStore) -> PayloadRef:
    """Write a finding as a payload."""
    return store.put(finding.model_dump_json().encode(), MEDIA_TYPE)


def read_classification(ref: PayloadRef, store: PayloadStore) -> Classification:
    """The payload behind a port of type `classification`."""
    return Classification.model_validate_json(store.get(ref))


def read_measurement(ref: PayloadRef, store: PayloadStore) -> Measurement:
    """The payload behind a port of type `measurement`."""
    return Measurement.model_validate_json(store.get(ref))
