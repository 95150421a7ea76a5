"""The exported models behind the port that services ask, without a server."""

from collections.abc import Mapping
from pathlib import Path

import onnxruntime

from shared.inference.fake import FakeInference, FakeModel
from shared.inference.port import Tensor
from training.config import MODELS, NAMES, model_path, read_parameters


def exported_models(threads: int) -> FakeInference:
    """Every model that has been exported, run by ONNX Runtime in this process."""
    exported = (name for name in NAMES if model_path(name).exists())
    return FakeInference({name: model_in(MODELS / name, threads) for name in exported})


def newest_weights(folder: Path) -> Path | None:
    """The ONNX file of a model folder's highest version, which Triton serves by default."""
    versions = (each for each in folder.iterdir() if each.name.isdigit())
    found = [path for each in versions if (path := each / "model.onnx").exists()]
    return max(found, key=lambda path: int(path.parent.name), default=None)


def model_in(folder: Path, threads: int) -> FakeModel:
    """The model of a Triton model folder. Raises `FileNotFoundError` where it holds none."""
    weights = newest_weights(folder)
    if weights is None:
        raise FileNotFoundError(f"{folder}: no version with a model.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    # A folder elsewhere is read too: joined to the repository's path, an absolute one stays.
    return FakeModel(run, read_parameters(str(folder.resolve())), weights.parent.name)
