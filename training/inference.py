"""The exported models behind the port that services ask, without a server."""

from collections.abc import Mapping

import onnxruntime

from shared.inference.fake import FakeInference, FakeModel
from shared.inference.port import Tensor
from training.config import NAMES, model_path, read_parameters


def exported_models(threads: int) -> FakeInference:
    """Every model that has been exported, run by ONNX Runtime in this process."""
    exported = (name for name in NAMES if model_path(name).exists())
    return FakeInference({name: _model(name, threads) for name in exported})


def _model(name: str, threads: int) -> FakeModel:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model_path(name), options, providers=["CPUExecutionProvider"]
    )

    def run(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        (probabilities,) = session.run(["probabilities"], dict(inputs))
        return {"probabilities": probabilities}

    return FakeModel(run, read_parameters(name))
