"""A stage that makes a mask of a volume: what its parameters ask, checked against the model."""

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from shared import provenance
from shared.bus.work import Produced, Work
from shared.errors import InputRejected, Reason
from shared.imaging import volume as volumes
from shared.imaging.gate import UNUSUAL, GateParameter
from shared.imaging.model_parameters import BadModel, SegmentationParameters, read_parameters
from shared.imaging.segment import Prepared, prepare, segment_prepared
from shared.imaging.volume import Volume
from shared.inference.port import Inference
from shared.provenance import ModelIdentity
from shared.store.port import PayloadStore
from shared.telemetry import attributes
from shared.telemetry.tracing import span


class StageParameters(BaseModel):
    """What a pipeline definition says to a stage that segments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    labels: dict[int, str]
    empty: str | None = Field(default=None, description="the code that refuses an empty mask")


class GatedParameters(SegmentationParameters):
    """What a segmentation model may say besides: what its training images are like."""

    gate: GateParameter | None = None


@dataclass(frozen=True)
class Segmented:
    """The mask, on the volume's grid, the model that made it, and what it is to be warned of."""

    mask: Volume
    model: ModelIdentity
    warnings: tuple[str, ...] = ()


def segmented(work: Work, store: PayloadStore, inference: Inference) -> Segmented:
    """Run the stage's model on its volume.

    Raises `InputRejected` with the stage's own code when the mask is empty and mustn't be, and
    `BadModel` when the model gives other labels than the definition says.
    """
    stage = StageParameters.model_validate(dict(work.parameters))
    identity = inference.identity(stage.model)
    expected = _expected(stage, inference)
    volume = volumes.read(store.path(work.input("volume")))
    prepared = prepare(volume, expected)
    warnings = _warnings(prepared, expected)
    mask = segment_prepared(prepared, volume, stage.model, expected, inference, work.lane)
    if stage.empty and not mask.array.any():
        raise InputRejected(Reason(stage.empty, {"found_ml": 0.0}))
    return Segmented(mask, identity, warnings)


def keep(
    work: Work, made: Segmented, store: PayloadStore, warnings: tuple[str, ...] = ()
) -> Produced:
    """The mask and its provenance as payloads; `warnings` come to those of the model."""
    with span("keep"):
        payloads = {
            "mask": store.put_parts(_file(made.mask), volumes.MEDIA_TYPE),
            "provenance": provenance.keep(provenance.of(work, made.model), store),
        }
    return Produced(payloads, (*made.warnings, *warnings))


def _file(mask: Volume) -> tuple[bytes, memoryview]:
    return volumes.encode_header(mask), np.ascontiguousarray(mask.array).data.cast("B")


def _expected(stage: StageParameters, inference: Inference) -> GatedParameters:
    said = read_parameters(GatedParameters, stage.model, inference.parameters(stage.model))
    if stage.labels != said.foreground:
        raise BadModel(
            f"model {stage.model} gives {said.foreground}, the stage asks for {stage.labels}"
        )
    return said


def _warnings(prepared: Prepared, expected: GatedParameters) -> tuple[str, ...]:
    """Whether the image is unlike those that the model learned from; nothing without a gate."""
    if expected.gate is None:
        return ()
    with span("gate") as opened:
        judged = expected.gate.judge(prepared.hu, expected.spacing_mm)
        opened.set_attribute(attributes.GATE_DISTANCE, round(judged.distance, 2))
    return (UNUSUAL,) if judged.unusual else ()
