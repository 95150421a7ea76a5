"""What a model says of itself in its `parameters { }`, checked before anything is computed."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from shared.imaging.resample import Sampling
from shared.imaging.tiles import Window

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
Share = Annotated[float, Field(ge=0, lt=1)]
Shares = Annotated[tuple[Share, Share, Share], BeforeValidator(_split)]
Orientation = Annotated[str, Field(pattern="^[LRPASI]{3}$"), AfterValidator(_three_axes)]
Labels = Annotated[dict[Annotated[int, Field(ge=0, le=255)], str], BeforeValidator(_labels)]


class ModelParameters(BaseModel):
    """What every model on a CT says: the input it wants, and what its output means.

    `orientation` names, per axis x, y, z, the side that the axis runs to ("LPS" is DICOM's own).
    Intensities are clipped to `intensity_window` (HU) and mapped linearly to `intensity_range`,
    after they were resampled (`sampling`), or clipped before it with `clip_first`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    orientation: Orientation = "LPS"
    intensity_window: Pair
    intensity_range: Pair
    clip_first: bool = False
    sampling: Sampling = "averaged"
    pad_value: float = Field(description="HU of what lies outside the image")
    output: Literal["probabilities", "logits"]
    activation: Activation
    labels: Labels
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    input_tensor: str = "volume"
    output_tensor: str = "probabilities"


class SegmentationParameters(ModelParameters):
    """What a segmentation model says besides; sizes are (z, y, x) in voxels of the model.

    Its grid covers the scan's `extent`, or begins at the `centres` of the scan's first voxels. A
    volume goes through whole or in tiles up to `max_tile`; or, where the model tells a `window`,
    in windows that `overlap` by these shares, with a Gaussian's weights or constant ones.
    """

    spacing_mm: Spacing = Field(description="of axes x, y, z as oriented")
    grid: Literal["extent", "centres"] = "extent"
    sampling: Literal["averaged", "linear"] = "averaged"
    pad_multiple: Count = 1
    max_tile: Size | None = None
    window: Size | None = None
    overlap: Shares = (0.25, 0.25, 0.25)
    blend: Literal["constant", "gaussian"] = "constant"
    blend_sigma: Positive = 0.125
    postprocess: Annotated[
        tuple[
            Literal["largest-component-per-label", "fill-holes", "largest-component-of-mask"], ...
        ],
        BeforeValidator(_split),
    ] = ()
    border_hu: float | None = Field(
        default=None, description="where the border of what is aired lies in the CT"
    )

    @model_validator(mode="after")
    def _one_way_to_cut(self) -> Self:
        if self.window and (self.max_tile or self.pad_multiple > 1):
            raise ValueError("a model with a window has neither max_tile nor pad_multiple")
        return self

    @property
    def sliding(self) -> Window | None:
        """The window, when there is one."""
        if self.window is None:
            return None
        return Window(self.window, self.overlap, self.blend, self.blend_sigma)

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
