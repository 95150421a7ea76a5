"""The embedded Triton serves an ONNX model through a backend that its wheel does not have."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import tritonclient.grpc as triton_grpc
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tritonclient.utils import InferenceServerException, shared_memory, triton_to_np_dtype

from deploy.embedded import triton
from deploy.embedded.ports import free_ports
from deploy.embedded.runtime import Runtime, missing_shared_library, unsupported_platform
from deploy.embedded.tests.processes import running
from shared.inference.weights import weights_digest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        bool(unsupported_platform() or missing_shared_library()),
        reason=f"no Triton here: {unsupported_platform() or missing_shared_library()}",
    ),
]

WEIGHTS = np.array([[1.5, -2.0], [0.25, 4.0], [-1.0, 0.5]], dtype=np.float32)
CONFIG = """\
backend: "onnxruntime"
max_batch_size: 4
input [ { name: "x" data_type: TYPE_FP32 dims: [ 3 ] } ]
output [
  { name: "y" data_type: TYPE_FP32 dims: [ 2 ] },
  { name: "largest" data_type: TYPE_INT64 dims: [ 1 ] }
]
optimization { graph { level: 1 } }
parameters { key: "intra_op_thread_count" value { string_value: "1" } }
parameters { key: "enable_mem_arena" value { string_value: "true" } }
parameters { key: "enable_mem_pattern" value { string_value: "0" } }
parameters { key: "memory.enable_memory_arena_shrinkage" value { string_value: "cpu:0" } }
"""
"""With the native backend's options that ours takes too."""


IDENTITY = """\
backend: "onnxruntime"
max_batch_size: 0
input [ { name: "x" data_type: TYPE_%(type)s dims: [ -1, 2 ] } ]
output [ { name: "same" data_type: TYPE_%(type)s dims: [ -1, 2 ] } ]
"""
TYPES = ("BOOL", "UINT8", "INT16", "INT64", "FP16", "FP32", "FP64")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a linear model, one that is misconfigured, and an identity per type."""
    repository = tmp_path_factory.mktemp("models")
    _put_model(repository / "linear", version=1, scale=1.0)
    _put_misconfigured_model(repository / "misnamed")
    for name in TYPES:
        _put_identity(repository / f"same_{name}", name)
    return repository


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server writes."""
    return tmp_path_factory.mktemp("triton") / "server.log"


@pytest.fixture(scope="module")
def client(
    runtime: Runtime, models: Path, log: Path
) -> Iterator[triton_grpc.InferenceServerClient]:
    grpc_port, http_port, metrics_port = free_ports(3)
    server = triton.TritonServer(models, grpc_port, http_port, metrics_port)
    environment = triton.environment(runtime)
    with running(triton.command(server, runtime), log, environment):
        asyncio.run(triton.wait_until_ready(server, deadline_s=60))
        with triton_grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as connected:
            yield connected
            connected.unregister_system_shared_memory()


def test_a_batch_comes_back_with_every_output(client: triton_grpc.InferenceServerClient) -> None:
    x = np.array([[1, 2, 3], [-1, 0, 1]], dtype=np.float32)

    result = client.infer("linear", [_input(x)])

    np.testing.assert_array_equal(result.as_numpy("y"), x @ WEIGHTS)
    np.testing.assert_array_equal(result.as_numpy("largest"), [[1], [1]])


def test_a_request_that_is_answered_leaves_no_traceback(
    client: triton_grpc.InferenceServerClient, log: Path
) -> None:
    client.infer("linear", [_input(np.ones((1, 3), np.float32))])
    client.infer("linear", [_input(np.zeros((4, 3), np.float32))])
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("name", TYPES)
def test_every_type_crosses_unchanged(client: triton_grpc.InferenceServerClient, name: str) -> None:
    x = np.array([[0, 1], [1, 0], [1, 1]], dtype=triton_to_np_dtype(name))
    tensor = triton_grpc.InferInput("x", list(x.shape), name)
    tensor.set_data_from_numpy(x)

    same = client.infer(f"same_{name}", [tensor]).as_numpy("same")

    assert same.dtype == x.dtype
    np.testing.assert_array_equal(same, x)


def test_shared_memory_carries_the_same_numbers(client: triton_grpc.InferenceServerClient) -> None:
    x = np.array([[0.5, -3, 2]], dtype=np.float32)

    y = _infer_through_shared_memory(client, x)

    np.testing.assert_array_equal(y, client.infer("linear", [_input(x)]).as_numpy("y"))


def test_a_model_whose_names_are_wrong_is_refused_and_stops_nobody(
    client: triton_grpc.InferenceServerClient,
) -> None:
    with pytest.raises(InferenceServerException, match=r"config\.pbtxt names nowhere"):
        client.load_model("misnamed")

    assert client.is_model_ready("linear")


def test_a_new_version_is_loaded_while_the_server_runs(
    client: triton_grpc.InferenceServerClient, models: Path
) -> None:
    x = np.array([[1, 1, 1]], dtype=np.float32)
    _put_model(models / "linear", version=2, scale=10.0)

    client.load_model("linear")

    np.testing.assert_array_equal(
        client.infer("linear", [_input(x)]).as_numpy("y"), x @ (10 * WEIGHTS)
    )


@pytest.mark.parametrize("beside", ["README.md", ".DS_Store", "more/model.data"])
def test_a_model_with_more_than_its_weights_is_what_its_digest_tells(
    client: triton_grpc.InferenceServerClient, models: Path, beside: str
) -> None:
    name = Path(beside).stem.strip(".").lower()
    _put_stamped_model(models / name, beside)

    client.load_model(name)

    assert client.is_model_ready(name)


def test_other_weights_are_refused_also_where_a_copy_of_the_first_is_kept(
    client: triton_grpc.InferenceServerClient, models: Path
) -> None:
    weights = _put_stamped_model(models / "swapped", "card.md") / "model.onnx"
    weights.rename(weights.with_name("model.onnx.bak"))
    shutil.copyfile(models / "same_FP32" / "1" / "model.onnx", weights)

    with pytest.raises(InferenceServerException, match=r"sha256 of model\.onnx, model\.onnx\.bak"):
        client.load_model("swapped")


def test_weights_by_a_name_that_no_digest_is_of_are_refused(
    client: triton_grpc.InferenceServerClient, models: Path
) -> None:
    version = _put_stamped_model(models / "hidden", "card.md")
    shutil.copyfile(version / "model.onnx", version / "notes.md")
    with (models / "hidden" / "config.pbtxt").open("a") as file:
        file.write('default_model_filename: "notes.md"\n')

    with pytest.raises(InferenceServerException, match=r"notes\.md is no name for weights"):
        client.load_model("hidden")


def test_the_log_names_weights_whose_digest_nobody_tells(
    client: triton_grpc.InferenceServerClient, log: Path
) -> None:
    assert client.is_model_ready("linear")
    assert "linear/1/model.onnx is not checked" in log.read_text()


def _input(x: NDArray[np.float32]) -> triton_grpc.InferInput:
    tensor = triton_grpc.InferInput("x", list(x.shape), "FP32")
    tensor.set_data_from_numpy(x)
    return tensor


def _infer_through_shared_memory(
    client: triton_grpc.InferenceServerClient, x: NDArray[np.float32]
) -> NDArray[np.float32]:
    size_in, size_out = x.nbytes, len(x) * 2 * 4
    region = shared_memory.create_shared_memory_region(
        "both", f"/clarion-{id(x):x}", size_in + size_out
    )
    try:
        shared_memory.set_shared_memory_region(region, [x])
        client.register_system_shared_memory("both", f"/clarion-{id(x):x}", size_in + size_out)
        tensor = triton_grpc.InferInput("x", list(x.shape), "FP32")
        tensor.set_shared_memory("both", size_in)
        wanted = triton_grpc.InferRequestedOutput("y")
        wanted.set_shared_memory("both", size_out, offset=size_in)
        client.infer("linear", [tensor], outputs=[wanted])
        found = shared_memory.get_contents_as_numpy(region, np.float32, [len(x), 2], offset=size_in)
        return np.array(found, dtype=np.float32)
    finally:
        shared_memory.destroy_shared_memory_region(region)


def _put_model(folder: Path, version: int, scale: float) -> None:
    """y = x @ (scale * WEIGHTS), and which of the two is the larger."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["y"]),
            helper.make_node("ArgMax", ["y"], ["largest"], axis=1, keepdims=1),
        ],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2]),
            helper.make_tensor_value_info("largest", TensorProto.INT64, ["n", 1]),
        ],
        [numpy_helper.from_array(scale * WEIGHTS, "w")],
    )
    _save(graph, folder / str(version))
    (folder / "config.pbtxt").write_text(CONFIG)


def _put_stamped_model(folder: Path, beside: str) -> Path:
    """A linear model that tells its digest, with a file beside its weights; returns the version."""
    _put_model(folder, version=1, scale=1.0)
    version = folder / "1"
    (version / beside).parent.mkdir(exist_ok=True)
    (version / beside).write_text("something")
    said = f'parameters {{ key: "sha256" value {{ string_value: "{weights_digest(version)}" }} }}\n'
    (folder / "config.pbtxt").write_text(CONFIG + said)
    return version


def _put_misconfigured_model(folder: Path) -> None:
    _put_model(folder, version=1, scale=1.0)
    (folder / "config.pbtxt").write_text(CONFIG.replace('"largest"', '"nowhere"'))


def _put_identity(folder: Path, name: str) -> None:
    element = helper.np_dtype_to_tensor_dtype(np.dtype(triton_to_np_dtype(name)))
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["same"])],
        "identity",
        [helper.make_tensor_value_info("x", element, ["n", 2])],
        [helper.make_tensor_value_info("same", element, ["n", 2])],
    )
    _save(graph, folder / "1")
    (folder / "config.pbtxt").write_text(IDENTITY % {"type": name})


def _save(graph: onnx.GraphProto, version: Path) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    version.mkdir(parents=True)
    onnx.save(model, version / "model.onnx")
