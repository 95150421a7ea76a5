"""What only the real server shows: restarts, new versions, leftovers, memory that can't be had."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from shared.errors import Unavailable
from shared.inference.regions import PREFIX, SHM
from shared.inference.tests.conftest import Server
from shared.inference.triton import TritonInference

pytestmark = pytest.mark.e2e

X = np.ones((1, 2, 3), np.float32)


def _regions(server: Server) -> set[str]:
    with InferenceServerClient(server.address) as client:
        return set(client.get_system_shared_memory_status().regions)


def _until_reconnected(inference: TritonInference) -> None:
    down = retry_if_exception_type(Unavailable)
    Retrying(retry=down, wait=wait_fixed(0.1), stop=stop_after_delay(20))(inference.probe)


def test_a_server_that_restarts_is_unavailable_and_then_answers_again(server: Server) -> None:
    inference = TritonInference(server.address, shared_memory=True)
    inference.infer("doubling", {"x": X}, ("y",))
    server.kill()
    with pytest.raises(Unavailable):
        inference.infer("doubling", {"x": X}, ("y",))
    server.start()

    _until_reconnected(inference)
    answer = inference.infer("doubling", {"x": X}, ("y",))

    assert np.array_equal(answer["y"], X * 2)
    inference.close()


def test_a_model_that_was_killed_is_an_outage_until_the_server_is_started_again(
    server: Server,
) -> None:
    inference = TritonInference(server.address, shared_memory=True)
    inference.infer("doubling", {"x": X}, ("y",))
    for process in server.processes_of("doubling"):
        os.kill(process, signal.SIGKILL)

    with pytest.raises(Unavailable):
        inference.infer("doubling", {"x": X}, ("y",))
    with pytest.raises(Unavailable):
        inference.probe()
    server.start_again()
    _until_reconnected(inference)

    assert np.array_equal(inference.infer("doubling", {"x": X}, ("y",))["y"], X * 2)
    inference.close()


def test_a_server_that_forgot_the_region_is_told_of_it_again(server: Server) -> None:
    inference = TritonInference(server.address, shared_memory=True)
    inference.infer("doubling", {"x": X}, ("y",))
    with InferenceServerClient(server.address) as client:
        client.unregister_system_shared_memory()

    answer = inference.infer("doubling", {"x": X}, ("y",))

    assert np.array_equal(answer["y"], X * 2)
    inference.close()


def test_a_process_that_ends_leaves_nothing_behind(server: Server) -> None:
    inference = TritonInference(server.address, shared_memory=True)
    inference.infer("doubling", {"x": X}, ("y",))
    (name,) = _regions(server)
    assert (SHM / name).exists()

    inference.close()

    assert not _regions(server)
    assert not (SHM / name).exists()


def test_the_region_of_a_killed_process_is_cleaned_by_the_next(server: Server) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", _KILLS_ITSELF, server.address], capture_output=True, check=False
    )
    assert killed.returncode == -9, killed.stderr
    (orphan,) = _regions(server)

    inference = TritonInference(server.address, shared_memory=True)
    inference.infer("doubling", {"x": X}, ("y",))

    (own,) = _regions(server)
    assert own != orphan
    assert own.startswith(PREFIX)
    assert not (SHM / orphan).exists()
    inference.close()


_KILLS_ITSELF = """
import os, signal, sys
import numpy as np
from shared.inference.triton import TritonInference
inference = TritonInference(sys.argv[1], shared_memory=True)
inference.infer("doubling", {"x": np.ones((1, 2, 3), np.float32)}, ("y",))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_weights_that_are_not_those_of_the_digest_are_refused(server: Server) -> None:
    (server.repository / "doubling" / "1" / "model.onnx").open("ab").write(b"\n")

    with (
        InferenceServerClient(server.address) as client,
        pytest.raises(InferenceServerException, match="sha256"),
    ):
        client.load_model("doubling")
