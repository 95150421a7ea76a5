"""What a classification model says besides what every model on a CT says."""

from typing import Annotated, Literal

from pydantic import Field

from shared.imaging.model_parameters import ModelParameters, Size


class ClassificationParameters(ModelParameters):
    """The model sees the box around the lungs, `margin_mm` wider, at `size` (z, y, x) voxels.

    With `mask_outside` all that is not lung reads as `pad_value`. `saliency_output` names a second
    tensor (1, z, y, x), none below 0, evenly over that box: what moved it towards its last class.
    """

    crop: Literal["lungs"]
    margin_mm: Annotated[float, Field(ge=0)] = 0
    size: Size
    mask_outside: bool = False
    training_data: str = ""
    saliency_output: str | None = None
