"""The inference server, as services see it."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.events.models import Lane
from shared.provenance import ModelIdentity

Tensor = NDArray[np.generic]


class Inference(Protocol):
    """Asks a model by name; every method raises `Unavailable("triton")` when nobody answers.

    A unit of work begins with `identity`. What follows is of the version that it told of, until
    `identity` is asked again, so that what provenance says is what answered also while another
    version is promoted.
    """

    def parameters(self, model: str) -> Mapping[str, str]:
        """What the model says of itself in its `parameters { }`. Raises `UnknownModel`."""
        ...

    def identity(self, model: str) -> ModelIdentity:
        """The name and version of what answers now, the digests of its weights and parameters."""
        ...

    def infer(
        self,
        model: str,
        inputs: Mapping[str, Tensor],
        outputs: tuple[str, ...],
        lane: Lane = Lane.ROUTINE,
    ) -> dict[str, Tensor]:
        """Run the model; the lane is the request's priority.

        Raises `ModelFailed` when the server answers with an error of the model's own, and
        `BeginAnew` when the version that was told of is gone.
        """
        ...

    def probe(self) -> None:
        """Raises `Unavailable("triton")` unless the server is live, whatever models it has."""
        ...


class UnknownModel(Exception):
    """The server has no such model loaded."""


class ModelFailed(Exception):
    """The model was asked and could not answer: a defect, of the model or of its input."""
