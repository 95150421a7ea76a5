"""An inference server in memory: the fake beside the port, for tests and to measure models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from shared.errors import Unavailable
from shared.events.models import Lane
from shared.inference.port import ModelFailed, Tensor, UnknownModel
from shared.provenance import ModelIdentity

Function = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


@dataclass(frozen=True)
class FakeModel:
    """A model: what it says of itself, and what it does with its inputs."""

    function: Function
    parameters: Mapping[str, str] = field(default_factory=dict)
    version: str = "1"


class FakeInference:
    """See `Inference`; a test takes it `down` and reads what was `asked` of it."""

    def __init__(self, models: Mapping[str, FakeModel]) -> None:
        self._models = dict(models)
        self._told: dict[str, FakeModel] = {}
        self.down = False
        self.asked: list[tuple[str, Lane]] = []

    def promote(self, name: str, model: FakeModel) -> None:
        """Another version answers from now on, and the one before is gone."""
        self._models[name] = model

    def parameters(self, model: str) -> Mapping[str, str]:
        return self._model(model).parameters

    def identity(self, model: str) -> ModelIdentity:
        self._told.pop(model, None)
        found = self._model(model)
        return ModelIdentity.told(model, found.version, found.parameters)

    def infer(
        self,
        model: str,
        inputs: Mapping[str, Tensor],
        outputs: tuple[str, ...],
        lane: Lane = Lane.ROUTINE,
    ) -> dict[str, Tensor]:
        found = self._model(model)
        self.asked.append((model, lane))
        if found is not self._models[model]:
            del self._told[model]
            raise Unavailable("triton")
        try:
            answer = found.function(inputs)
            return {name: answer[name] for name in outputs}
        except Exception as error:
            raise ModelFailed(str(error)) from error

    def probe(self) -> None:
        if self.down:
            raise Unavailable("triton")

    def _model(self, name: str) -> FakeModel:
        self.probe()
        if name not in self._models:
            raise UnknownModel(name)
        return self._told.setdefault(name, self._models[name])
