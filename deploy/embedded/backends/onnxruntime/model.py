"""Triton's "onnxruntime" backend as a python-based backend, on the CPU.

It stands in for the native backend, which Triton's wheel lacks, and takes the same config.pbtxt:
the same file name, the same parameters for threads, and tensors with the batch dimension in front
where `max_batch_size` is above zero. It runs inside Triton, in an environment of its own, and so
imports nothing of Clarion's.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as pb_utils

DEFAULT_FILE = "model.onnx"


class TritonPythonModel:
    """One instance of one version of a model: an ONNX Runtime session."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the version's model; what ONNX Runtime says about a broken one reaches Triton."""
        config = json.loads(args["model_config"])
        name = config.get("default_model_filename") or DEFAULT_FILE
        path = Path(args["model_repository"]) / args["model_version"] / name
        self.session = ort.InferenceSession(
            str(path), _options(config.get("parameters", {})), providers=["CPUExecutionProvider"]
        )
        self.inputs = [each["name"] for each in config["input"]]
        self.outputs = [each["name"] for each in config["output"]]
        self.dtypes = {
            each["name"]: np.dtype(pb_utils.triton_string_to_numpy(each["data_type"]))
            for each in config["output"]
        }
        self._refuse_unknown_names()

    def execute(self, requests: list[Any]) -> list[Any]:
        """One run per request, even of those that Triton batched.

        Joined along the batch they would share matrix products whose blocking depends on what
        else was queued: the same study would not give the same bits twice.
        """
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        if request.is_cancelled():
            return _failure("the request was cancelled", pb_utils.TritonError.CANCELLED)
        wanted = [name for name in self.outputs if name in request.requested_output_names()]
        try:
            feeds = {name: _array(request, name) for name in self.inputs}
            arrays = self.session.run(wanted, feeds)
        except Exception as error:
            return _failure(f"{type(error).__name__}: {error}", pb_utils.TritonError.INTERNAL)
        tensors = [
            _tensor(name, np.ascontiguousarray(array, dtype=self.dtypes[name]))
            for name, array in zip(wanted, arrays, strict=True)
        ]
        return pb_utils.InferenceResponse(output_tensors=tensors)

    def _refuse_unknown_names(self) -> None:
        """A name that the model lacks is refused when it loads, not at its first study."""
        known_inputs = {each.name for each in self.session.get_inputs()}
        known_outputs = {each.name for each in self.session.get_outputs()}
        unknown = [name for name in self.inputs if name not in known_inputs]
        unknown += [name for name in self.outputs if name not in known_outputs]
        if unknown:
            raise pb_utils.TritonModelException(
                f"config.pbtxt names {', '.join(unknown)}; the model has inputs "
                f"{sorted(known_inputs)} and outputs {sorted(known_outputs)}"
            )


# Tensors cross through DLPack alone. The backend's own conversion was built for numpy 1 and reads
# the item size where numpy 2 keeps something else: wrong numbers in, empty tensors out, no error.


def _array(request: Any, name: str) -> "np.ndarray[Any, Any]":
    array: np.ndarray[Any, Any] = np.from_dlpack(pb_utils.get_input_tensor_by_name(request, name))
    return array


def _tensor(name: str, array: "np.ndarray[Any, Any]") -> Any:
    return pb_utils.Tensor.from_dlpack(name, array)


def _options(parameters: dict[str, Any]) -> ort.SessionOptions:
    """Session options from the parameters that the native backend reads under the same names.

    `intra_op_thread_count` and `inter_op_thread_count`: 0, the default, is one per core.
    """
    options = ort.SessionOptions()
    options.use_deterministic_compute = True
    options.intra_op_num_threads = _number(parameters, "intra_op_thread_count")
    options.inter_op_num_threads = _number(parameters, "inter_op_thread_count")
    return options


def _number(parameters: dict[str, Any], name: str) -> int:
    return int(parameters.get(name, {}).get("string_value", 0))


def _failure(message: str, code: Any) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
