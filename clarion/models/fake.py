"""A model server in memory, for tests: the fake beside the port."""

from clarion.models.server import ServerDown, Serving, States
from deploy.modelrepo import configuration
from deploy.modelrepo.refused import Refused
from deploy.modelrepo.repository import Repository


class FakeServer:
    """See `ModelServer`: reads a repository as Triton would; refuses the models in `broken`."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._serving: dict[str, Serving] = {}
        self.broken: set[tuple[str, int]] = set()
        self.down = False

    def states(self) -> States:
        self._ask()
        return {
            name: {self._serving[name].version: "READY"} if name in self._serving else {}
            for name in self._repository.names()
        }

    def load(self, model: str) -> None:
        self._ask()
        version = self._repository.active(model)
        if version is None or (model, version) in self.broken:
            raise Refused("triton-refused", "Triton says: the model is broken")
        config = configuration.read(self._repository.folder / model / configuration.FILE)
        self._serving[model] = Serving(version, configuration.parameters(config))

    def unload(self, model: str) -> None:
        self._ask()
        self._serving.pop(model, None)

    def serving(self, model: str) -> Serving | None:
        self._ask()
        return self._serving.get(model)

    def _ask(self) -> None:
        if self.down:
            raise ServerDown
