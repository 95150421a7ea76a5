"""What a model says of itself in its `parameters { }`, checked before anything is computed."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

Activation = Literal["softmax", "sigmoid"]


class BadModel(Exception):
    """A model's parameters are missing or wrong: a defect of the model repository."""


def _split(text: Any) -> Any:
    return text.split() if isinstance(text, str) else text


def _labels(text: Any) -> Any:
    """`0 background,1 left lung` as {0: "background", 1: "left lung"}."""
    if not isinstance(text, str):
        return text
    pairs = (part.strip().partition(" ") for part in text.split(","))
    return {value: name for value, _, name in pairs}


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] >= pair[1]:
        raise ValueError("the second number must be the larger")
    return pair


def _three_axes(letters: str) -> str:
    if {pair for pair in ("LR", "PA", "SI") if set(pair) & set(letters)} != {"LR", "PA", "SI"}:
        raise ValueError("one letter of each pair L/R, P/A, S/I is needed")
    return letters


Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Pair = Annotated[tuple[float, float], BeforeValidator(_split), AfterValidator(_ascending)]
Spacing = Annotated[tuple[Positive, Positive, Positive], BeforeValidator(_split)]
Size = Annotated[tuple[Count, Count, Count], BeforeValidator(_split)]
Orientation = Annotated[str, Field(pattern="^[LRPASI]{3}$"), AfterValidator(_three_axes)]
Labels = Annotated[dict[Annotated[int, Field(ge=0, le=255)], str], BeforeValidator(_labels)]


class ModelParameters(BaseModel):
    """What every model on a CT says: the input it wants, and what its output means.

    `orientation` names, per axis x, y, z, the side that the axis runs to ("LPS" is DICOM's own).
    Intensities are clipped to `intensity_window` (HU) and mapped linearly to `intensity_range`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    orientation: Orientation = "LPS"
    intensity_window: Pair
    intensity_range: Pair
    pad_value: float = Field(description="HU of what lies outside the image")
    output: Literal["probabilities", "logits"]
    activation: Activation
    labels: Labels
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    input_tensor: str = "volume"
    output_tensor: str = "probabilities"


class SegmentationParameters(ModelParameters):
    """What a segmentation model says besides; `max_tile` is (z, y, x) in voxels of the model."""

    spacing_mm: Spacing = Field(description="of axes x, y, z as oriented")
    pad_multiple: Count = 1
    max_tile: Size | None = None
    postprocess: Annotated[
        tuple[Literal["largest-component-per-label", "fill-holes"], ...], BeforeValidator(_split)
    ] = ()

    @property
    def foreground(self) -> dict[int, str]:
        """The labels that a mask can hold; 0 is what is not segmented."""
        return {value: name for value, name in self.labels.items() if value}


Expected = TypeVar("Expected", bound=ModelParameters)


def read_parameters(kind: type[Expected], model: str, parameters: Mapping[str, str]) -> Expected:
    """The parameters as a kind of model needs them. Raises `BadModel`, which names each fault."""
    try:
        return kind.model_validate(dict(parameters))
    except ValidationError as error:
        faults = (
            f"{'.'.join(str(part) for part in fault['loc'][:1])}: {fault['msg']}"
            for fault in error.errors()
        )
        raise BadModel(f"model {model}: {'; '.join(faults)}") from error
