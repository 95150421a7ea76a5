"""A stage that makes a mask of a volume: what its parameters ask, checked against the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from shared import provenance
from shared.bus.work import Produced, Work
from shared.errors import InputRejected, Reason
from shared.imaging import volume as volumes
from shared.imaging.model_parameters import BadModel, SegmentationParameters, read_parameters
from shared.imaging.segment import segment
from shared.imaging.volume import Volume
from shared.inference.port import Inference
from shared.provenance import ModelIdentity
from shared.store.port import PayloadStore
from shared.telemetry.tracing import span


class StageParameters(BaseModel):
    """What a pipeline definition says to a stage that segments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    labels: dict[int, str]
    empty: str | None = Field(default=None, description="the code that refuses an empty mask")


@dataclass(frozen=True)
class Segmented:
    """The mask, on the volume's grid, and the model that made it."""

    mask: Volume
    model: ModelIdentity


def segmented(work: Work, store: PayloadStore, inference: Inference) -> Segmented:
    """Run the stage's model on its volume.

    Raises `InputRejected` with the stage's own code when the mask is empty and mustn't be, and
    `BadModel` when the model gives other labels than the definition says.
    """
    parameters = StageParameters.model_validate(dict(work.parameters))
    identity = inference.identity(parameters.model)
    _check_labels(parameters, inference.parameters(parameters.model))
    volume = volumes.read(store.path(work.input("volume")))
    mask = segment(volume, parameters.model, inference, work.lane)
    if parameters.empty and not mask.array.any():
        raise InputRejected(Reason(parameters.empty))
    return Segmented(mask, identity)


def keep(
    work: Work, made: Segmented, store: PayloadStore, warnings: tuple[str, ...] = ()
) -> Produced:
    """The mask and its provenance as payloads."""
    with span("keep"):
        payloads = {
            "mask": store.put_parts(_file(made.mask), volumes.MEDIA_TYPE),
            "provenance": provenance.keep(provenance.of(work, made.model), store),
        }
    return Produced(payloads, warnings)


def _file(mask: Volume) -> tuple[bytes, memoryview]:
    return volumes.encode_header(mask), np.ascontiguousarray(mask.array).data.cast("B")


def _check_labels(stage: StageParameters, said: Mapping[str, Any]) -> None:
    model = read_parameters(SegmentationParameters, stage.model, said)
    if stage.labels != model.foreground:
        raise BadModel(
            f"model {stage.model} gives {model.foreground}, the stage asks for {stage.labels}"
        )
