"""The inference server as the operator sees it: what it has loaded, and loading more."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from deploy.modelrepo.refused import Refused

_LOAD_S = 300.0
_ASK_S = 10.0
_DOWN = {"StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED"}
States = Mapping[str, Mapping[int, str]]
"""model → version → READY, LOADING, UNLOADING, UNLOADED, UNAVAILABLE; {}: none was ever loaded"""


class ServerDown(Exception):
    """No server answers."""


@dataclass(frozen=True)
class Serving:
    """The version that answers, and what it says of itself."""

    version: int
    parameters: Mapping[str, str]


class ModelServer(Protocol):
    """Every method raises `ServerDown` when nobody answers."""

    def states(self) -> States:
        """Every model of the repository that the server reads."""
        ...

    def load(self, model: str) -> None:
        """Read the model's configuration again, and let that answer.

        What is loaded goes on answering until the new is ready, and for ever if it can't be
        loaded. Raises `Refused("triton-refused")` with the server's words.
        """
        ...

    def unload(self, model: str) -> None:
        """No version of the model answers any more. Raises `Refused`."""
        ...

    def serving(self, model: str) -> Serving | None:
        """What answers to the model's name, if anything does."""
        ...


class NoServer:
    """The home's server while the home is down: at its address may be another home's."""

    def states(self) -> States:
        raise ServerDown

    def load(self, model: str) -> None:
        raise ServerDown(model)

    def unload(self, model: str) -> None:
        raise ServerDown(model)

    def serving(self, model: str) -> Serving | None:
        raise ServerDown(model)


class Triton:
    """Triton over gRPC, under explicit model control."""

    def __init__(self, address: str) -> None:
        self._client = InferenceServerClient(address)

    def states(self) -> States:
        with _verdicts():
            index = self._client.get_model_repository_index(client_timeout=_ASK_S)
        found: dict[str, dict[int, str]] = {}
        for each in index.models:
            versions = found.setdefault(each.name, {})
            if each.version:
                unloaded = each.reason == "unloaded"
                versions[int(each.version)] = "UNLOADED" if unloaded else each.state
        return found

    def load(self, model: str) -> None:
        with _verdicts():
            self._client.load_model(model, client_timeout=_LOAD_S)

    def unload(self, model: str) -> None:
        with _verdicts():
            self._client.unload_model(model, client_timeout=_ASK_S)

    def serving(self, model: str) -> Serving | None:
        with _verdicts():
            if not self._client.is_model_ready(model, client_timeout=_ASK_S):
                return None
            metadata = self._client.get_model_metadata(model, client_timeout=_ASK_S)
            version = max(metadata.versions, key=int)
            config = self._client.get_model_config(model, version, client_timeout=_ASK_S).config
        told = {key: value.string_value for key, value in config.parameters.items()}
        return Serving(int(version), told)


@contextmanager
def _verdicts() -> Iterator[None]:
    """Translate what the client raises."""
    try:
        yield
    except InferenceServerException as error:
        if error.status() in _DOWN:
            raise ServerDown from error
        raise Refused("triton-refused", f"Triton says: {error.message()}") from error
