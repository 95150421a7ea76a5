"""Triton's "onnxruntime" backend as a python-based backend, on the CPU.

It stands in for the native backend, which Triton's wheel lacks, and takes the same config.pbtxt:
the same file name, the same parameters for threads, and tensors with the batch dimension in front
where `max_batch_size` is above zero. It runs inside Triton, in an environment of its own: of
Clarion's it imports only the digest of weights, which is laid out beside it.
"""

import ctypes
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as pb_utils

from shared.inference.weights import weights_digest, weights_files

DEFAULT_FILE = "model.onnx"
SHRINKAGE = "memory.enable_memory_arena_shrinkage"
_LEVELS = {
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    0: ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
_USED = b"used_dltensor"
_rename_capsule = ctypes.pythonapi.PyCapsule_SetName
_rename_capsule.argtypes = [ctypes.py_object, ctypes.c_char_p]


class TritonPythonModel:
    """One instance of one version of a model: an ONNX Runtime session."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the version's model; what ONNX Runtime says about a broken one reaches Triton."""
        config = json.loads(args["model_config"])
        name = config.get("default_model_filename") or DEFAULT_FILE
        version = Path(args["model_repository"]) / args["model_version"]
        path = version / name
        _refuse_changed(version, path, config.get("parameters", {}))
        self.session = ort.InferenceSession(
            str(path), _options(config), providers=["CPUExecutionProvider"]
        )
        self.run_options = _run_options(config.get("parameters", {}))
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
        else was queued: the same study would not give the same bits twice. None is asked whether it
        was cancelled: Triton drops those that wait, and asking crashed the whole server when it had
        given the request up already, on a machine that was starved.
        """
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        wanted = [name for name in self.outputs if name in request.requested_output_names()]
        try:
            feeds = {name: _array(request, name) for name in self.inputs}
            arrays = self.session.run(wanted, feeds, self.run_options)
        except Exception as error:
            return _failure(f"{type(error).__name__}: {error}")
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


def _refuse_changed(version: Path, path: Path, parameters: dict[str, Any]) -> None:
    """Results say by the digest in the configuration which weights made them: it has to be true.

    A configuration that tells none, as in a repository that Clarion did not write, makes results
    that tell none: the server's log says so.
    """
    told = _text(parameters, "sha256")
    if not told:
        pb_utils.Logger.log_warn(f"{path} is not checked: config.pbtxt tells no sha256")
        return
    files = weights_files(version)
    if path.is_file() and path not in files:
        raise pb_utils.TritonModelException(
            f"{path.name} is no name for weights: the sha256 of a version leaves such files out"
        )
    digest = weights_digest(version)
    if digest != told:
        names = ", ".join(each.relative_to(version).as_posix() for each in files)
        raise pb_utils.TritonModelException(
            f"the sha256 of {names} is {digest}; config.pbtxt tells {told}"
        )


# Tensors cross through DLPack alone. The backend's own conversion was built for numpy 1 and reads
# the item size where numpy 2 keeps something else: wrong numbers in, empty tensors out, no error.


def _array(request: Any, name: str) -> "np.ndarray[Any, Any]":
    array: np.ndarray[Any, Any] = np.from_dlpack(pb_utils.get_input_tensor_by_name(request, name))
    return array


def _tensor(name: str, array: "np.ndarray[Any, Any]") -> Any:
    """A tensor that keeps the array alive and frees it.

    A taken capsule is to be renamed "used_dltensor" (DLPack's Python protocol); the backend calls
    it otherwise, so that numpy's destructor of the capsule would write a traceback for each tensor.
    """
    capsule = array.__dlpack__()
    tensor = pb_utils.Tensor.from_dlpack(name, capsule)
    _rename_capsule(capsule, _USED)
    return tensor


def _options(config: dict[str, Any]) -> ort.SessionOptions:
    """Session options from the configuration, under the names that the native backend reads.

    `intra_op_thread_count`, `inter_op_thread_count`: 0, the default, is one per core.
    `enable_mem_arena`, `enable_mem_pattern`: 1 unless they say 0. `optimization { graph { level }
    }`: -1, 1 or 2; without one, every optimisation. Threads that wait never spin: on a small
    machine they would spin on the core that the other model computes on.
    """
    parameters = config.get("parameters", {})
    level = int(config.get("optimization", {}).get("graph", {}).get("level", 0))
    options = ort.SessionOptions()
    options.use_deterministic_compute = True
    options.graph_optimization_level = _LEVELS[level]
    options.intra_op_num_threads = _number(parameters, "intra_op_thread_count")
    options.inter_op_num_threads = _number(parameters, "inter_op_thread_count")
    options.enable_cpu_mem_arena = _flag(parameters, "enable_mem_arena")
    options.enable_mem_pattern = _flag(parameters, "enable_mem_pattern")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _run_options(parameters: dict[str, Any]) -> ort.RunOptions:
    """`memory.enable_memory_arena_shrinkage` ("cpu:0"): give back after a run what it took."""
    options = ort.RunOptions()
    if shrinkage := _text(parameters, SHRINKAGE):
        options.add_run_config_entry(SHRINKAGE, shrinkage)
    return options


def _number(parameters: dict[str, Any], name: str) -> int:
    return int(_text(parameters, name) or 0)


def _flag(parameters: dict[str, Any], name: str) -> bool:
    return (_text(parameters, name) or "1").lower() in ("1", "true")


def _text(parameters: dict[str, Any], name: str) -> str:
    return str(parameters.get(name, {}).get("string_value", ""))


def _failure(message: str) -> Any:
    error = pb_utils.TritonError(message, pb_utils.TritonError.INTERNAL)
    return pb_utils.InferenceResponse(error=error)
