"""The exported models behind the port that services ask, without a server."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from shared.imaging.model_parameters import BadModel
from shared.inference.fake import FakeInference, FakeModel
from shared.inference.port import Tensor
from training import pbtxt
from training.config import MODELS, NAMES, model_path, parameters_in

_CONFIG, _WEIGHTS = "config.pbtxt", "model.onnx"


@dataclass(frozen=True)
class Version:
    """One version of a model: its weights, and the configuration that belongs to them."""

    name: str
    number: str
    weights: Path
    config: Path


def exported_models(threads: int) -> FakeInference:
    """Every model that has been exported, run by ONNX Runtime in this process."""
    exported = (name for name in NAMES if model_path(name).exists())
    return FakeInference({name: model_in(MODELS / name, threads) for name in exported})


def is_model(folder: Path) -> bool:
    """Whether it is a Triton model folder, or a version's folder in one."""
    return (folder / _CONFIG).is_file() or (
        _is_version(folder) and (folder.parent / _CONFIG).is_file()
    )


def version_in(folder: Path) -> Version | None:
    """The version that a folder is; of a model folder the one that Triton would let answer.

    That is the highest, unless `version_policy` tells which, as in a home it tells the promoted
    one. A version's own configuration precedes its model's, which may be another version's.
    Raises `BadModel` for a configuration that is none.
    """
    if _is_version(folder):
        numbers, model = [int(folder.name)], folder.parent
    else:
        numbers, model = _answering(folder), folder
    found = [number for number in numbers if (model / str(number) / _WEIGHTS).exists()]
    if not found:
        return None
    number = str(max(found))
    own = model / number / _CONFIG
    config = own if own.is_file() else model / _CONFIG
    return Version(model.name, number, model / number / _WEIGHTS, config)


def newest_weights(folder: Path) -> Path | None:
    """The weights of `version_in`."""
    version = version_in(folder)
    return version.weights if version else None


def model_in(folder: Path, threads: int) -> FakeModel:
    """The model of `version_in`. Raises `FileNotFoundError` for none, and `BadModel`."""
    version = version_in(folder)
    if version is None:
        raise FileNotFoundError(f"{folder}: no version with a {_WEIGHTS} that may answer")
    return loaded(version, threads)


def loaded(version: Version, threads: int) -> FakeModel:
    """A version, run by ONNX Runtime in this process.

    Raises `BadModel` for weights or a configuration that can't be read.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(
            version.weights, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's own share no other base.
        raise BadModel(f"{version.weights}: {error}") from error
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return FakeModel(run, parameters_in(version.config), version.number)


def _is_version(folder: Path) -> bool:
    return folder.name.isdigit() and (folder / _WEIGHTS).is_file()


def _answering(model: Path) -> list[int]:
    """The numbers of the versions that a model's configuration lets answer."""
    here = [int(each.name) for each in model.iterdir() if each.name.isdigit()]
    policies = pbtxt.messages(pbtxt.read(model / _CONFIG), "version_policy")
    specific = [each for policy in policies for each in pbtxt.messages(policy, "specific")]
    wanted = [number for each in specific for number in each.get("versions", [])]
    return [number for number in here if str(number) in wanted] if specific else here
