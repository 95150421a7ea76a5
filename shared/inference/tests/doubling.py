"""A model that doubles, for the fake and, as a repository with ONNX, for the real server."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared.inference.fake import FakeModel
from shared.inference.port import Tensor

_CONFIG = """\
name: "doubling"
backend: "onnxruntime"
max_batch_size: 1
input [ { name: "x" data_type: TYPE_FP32 dims: [ -1, 3 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ -1, 3 ] } ]
dynamic_batching { priority_levels: 3 default_priority_level: 2 }
"""


def fake(version: str = "1") -> FakeModel:
    """The model for the fake server."""
    return FakeModel(_double, PARAMETERS, version)


def put(repository: Path, version: str = "1", factor: float | None = None) -> None:
    """The model for the real server; with another factor it does not double."""
    folder = repository / "doubling" / version
    folder.mkdir(parents=True)
    said = (
        f'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}\n'
        for key, value in PARAMETERS.items()
    )
    (folder.parent / "config.pbtxt").write_text(_CONFIG + "".join(said))
    (folder / "model.onnx").write_bytes(_graph(factor).SerializeToString() if factor else _WEIGHTS)


def _double(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    (rows,) = {tensor.shape[-1] for tensor in inputs.values()}
    if rows != 3:
        raise ValueError("rows of three")
    return {"y": np.multiply(inputs["x"], 2, dtype=np.float32)}


def _graph(factor: float = 2) -> onnx.ModelProto:
    shape: list[str | int | None] = ["batch", "rows", 3]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "two"], ["y"])],
        "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.array(factor, dtype=np.float32), "two")],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, ir_version=9, opset_imports=opset)


_WEIGHTS: bytes = _graph().SerializeToString()
PARAMETERS = {
    "algorithm_name": "Doubling",
    "sha256": hashlib.sha256(_WEIGHTS).hexdigest(),
    "spacing_mm": "4 4 4",
}
