"""A server that serves, with a model beside that somebody broke, is no server that is down."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc  # type: ignore[import-untyped]
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from shared.errors import Unavailable
from shared.inference.triton import TritonInference


class Health(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """A Triton under strict readiness, one of whose models can't be loaded."""

    live = True

    def ServerLive(self, *_: object) -> object:  # noqa: N802
        return service_pb2.ServerLiveResponse(live=self.live)

    def ServerReady(self, *_: object) -> object:  # noqa: N802
        return service_pb2.ServerReadyResponse(ready=False)


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def inference(health: Health) -> Iterator[TritonInference]:
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(health, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        connected = TritonInference(f"127.0.0.1:{port}", shared_memory=False)
        yield connected
        connected.close()
        server.stop(None).wait()


def test_a_server_one_of_whose_models_is_broken_passes_the_probe(
    inference: TritonInference,
) -> None:
    inference.probe()


def test_a_server_that_is_not_live_is_unavailable(
    health: Health, inference: TritonInference
) -> None:
    health.live = False
    with pytest.raises(Unavailable):
        inference.probe()
