"""NVIDIA Triton over gRPC, with tensors in shared memory where the server is on this host."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any

from opentelemetry.trace import SpanKind
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from shared.errors import BeginAnew, Unavailable
from shared.events.models import Lane
from shared.giving_way import let_others_first
from shared.inference.memory import SharedMemory, SharedMemoryRefused
from shared.inference.port import Inference, ModelFailed, Tensor, UnknownModel
from shared.provenance import ModelIdentity
from shared.settings import TritonSettings
from shared.telemetry import attributes, tracing
from shared.telemetry.logs import logger

_PRIORITY = {Lane.STAT: 1, Lane.ROUTINE: 2, Lane.BULK: 3}
_ASK_S = 10.0
_INFER_S = 240.0
_ENDED_WITHIN_S, _LOOK_S = 2.0, 0.05
_LOST = "is not healthy"
"""The python backend's words when the process of a model has ended: it starts no other."""
_UNKNOWN, _UNLOADED = "StatusCode.NOT_FOUND", "is not at ready state"
_DOWN = {"StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED", "StatusCode.CANCELLED"}
_CHANNEL = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A server that comes back is seen within two seconds; the default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]


@dataclass(frozen=True)
class _Described:
    """What a model said of itself."""

    identity: ModelIdentity
    parameters: Mapping[str, str]
    output_shapes: Mapping[str, tuple[int, ...]]
    output_types: Mapping[str, str]


class _ModelLost(Unavailable):
    """The server is live, and the model will not answer before it is started again."""

    def __init__(self) -> None:
        super().__init__("triton")


class TritonInference:
    """See `Inference`. One request at a time: a worker process has one unit of work."""

    def __init__(self, address: str, shared_memory: bool) -> None:
        self._client = InferenceServerClient(address, channel_args=_CHANNEL)
        self._memory = SharedMemory(self._client) if shared_memory else None
        self._described: dict[str, _Described] = {}
        self._lock = Lock()

    def parameters(self, model: str) -> Mapping[str, str]:
        return self._told(model).parameters

    def identity(self, model: str) -> ModelIdentity:
        self._described.pop(model, None)
        return self._told(model).identity

    def infer(
        self,
        model: str,
        inputs: Mapping[str, Tensor],
        outputs: tuple[str, ...],
        lane: Lane = Lane.ROUTINE,
    ) -> dict[str, Tensor]:
        described = self._told(model)
        about = {attributes.MODEL: model, attributes.LANE: str(lane)}
        if lane is Lane.BULK:
            with tracing.span("give-way", about):
                let_others_first()
        with self._lock, tracing.span("infer", about, kind=SpanKind.CLIENT):
            traceparent = tracing.current_traceparent()
            request = {
                "model_name": model,
                "model_version": described.identity.version,
                "priority": _PRIORITY[lane],
                "client_timeout": _INFER_S,
                "headers": {"traceparent": traceparent} if traceparent else None,
                # Triton loses a `traceparent` now and then; by its id the span tells whose it is.
                "request_id": traceparent,
            }
            try:
                with _verdicts(told=True):
                    return self._ask(described, inputs, outputs, request)
            except Exception as error:
                # What was cached may be the reason: a version that is gone.
                self._described.pop(model, None)
                if isinstance(error, _ModelLost):
                    self._until_ended()
                raise

    def probe(self) -> None:
        with _verdicts():
            # Not its readiness, which one model that anybody broke takes away until it restarts.
            if not self._client.is_server_live(client_timeout=_ASK_S):
                raise Unavailable("triton")

    def close(self) -> None:
        """Give shared memory and the connection back."""
        if self._memory:
            self._memory.close()
        self._client.close()

    def _until_ended(self) -> None:
        """Whoever watches the server ends it now: it shall not be taken for up meanwhile."""
        until = time.monotonic() + _ENDED_WITHIN_S
        with suppress(InferenceServerException):
            while time.monotonic() < until and self._client.is_server_live(client_timeout=_ASK_S):
                time.sleep(_LOOK_S)

    def _ask(
        self,
        described: _Described,
        inputs: Mapping[str, Tensor],
        outputs: tuple[str, ...],
        request: Mapping[str, Any],
    ) -> dict[str, Tensor]:
        if self._memory:
            first = next(iter(inputs.values())).shape
            wanted = {
                name: (
                    _resolved(described.output_shapes.get(name, ()), first),
                    described.output_types.get(name, ""),
                )
                for name in outputs
            }
            try:
                return self._memory.infer(inputs, wanted, request)
            except SharedMemoryRefused as refusal:
                logger().warning("shared-memory-refused", error=type(refusal.__cause__).__name__)
                self._memory.close()
                self._memory = None
        return self._ask_with_bytes(inputs, outputs, request)

    def _ask_with_bytes(
        self, inputs: Mapping[str, Tensor], outputs: tuple[str, ...], request: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        given = []
        for name, tensor in inputs.items():
            given.append(InferInput(name, tensor.shape, np_to_triton_dtype(tensor.dtype)))
            given[-1].set_data_from_numpy(tensor)
        asked = [InferRequestedOutput(name) for name in outputs]
        answer = self._client.infer(inputs=given, outputs=asked, **request)
        return {name: answer.as_numpy(name) for name in outputs}

    def _told(self, model: str) -> _Described:
        if model not in self._described:
            self._described[model] = self._describe(model)
        return self._described[model]

    def _describe(self, model: str) -> _Described:
        with _verdicts():
            metadata = self._client.get_model_metadata(model, client_timeout=_ASK_S)
        version = max(metadata.versions, key=int)
        with _verdicts(told=True):
            config = self._client.get_model_config(model, version, client_timeout=_ASK_S).config
        parameters = {key: value.string_value for key, value in config.parameters.items()}
        return _Described(
            ModelIdentity.told(model, version, parameters),
            parameters,
            {output.name: tuple(output.shape) for output in metadata.outputs},
            {output.name: output.datatype for output in metadata.outputs},
        )


def connect(settings: TritonSettings) -> Inference:
    """The inference server that the settings name; it need not be up yet."""
    return TritonInference(settings.triton, settings.triton_shared_memory)


def _resolved(shape: tuple[int, ...], like: tuple[int, ...]) -> tuple[int, ...]:
    """An output's shape where each free dimension is the input's; () where that is no guess."""
    if len(shape) != len(like):
        return ()
    return tuple(other if size < 0 else size for size, other in zip(shape, like, strict=True))


@contextmanager
def _verdicts(told: bool = False) -> Iterator[None]:
    """Translate what the client raises; its messages stay with the cause.

    A version that was `told` of and is not there has gone since: another one answers.
    """
    try:
        yield
    except InferenceServerException as error:
        said = error.message() or ""
        if told and (error.status() == _UNKNOWN or _UNLOADED in said):
            raise BeginAnew("triton") from error
        if error.status() in _DOWN:
            raise Unavailable("triton") from error
        if error.status() == _UNKNOWN:
            raise UnknownModel(said) from error
        if _LOST in said:
            raise _ModelLost from error
        raise ModelFailed(said) from error
