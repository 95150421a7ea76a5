"""The exported models behind the port that services ask, without a server."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from shared.inference.fake import FakeInference, FakeModel
from shared.inference.port import Tensor
from training.config import MODELS, NAMES, model_path, parameters_in

_CONFIG, _WEIGHTS = "config.pbtxt", "model.onnx"
_POLICY = re.compile(r"version_policy\s*:?\s*{\s*specific\s*:?\s*{([^}]*)}")
_COMMENT = re.compile(r"#.*")


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
    """The model of `version_in`. Raises `FileNotFoundError` where there is none."""
    version = version_in(folder)
    if version is None:
        raise FileNotFoundError(f"{folder}: no version with a {_WEIGHTS} that may answer")
    return loaded(version, threads)


def loaded(version: Version, threads: int) -> FakeModel:
    """A version, run by ONNX Runtime in this process."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        version.weights, options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return FakeModel(run, parameters_in(version.config), version.number)


def _is_version(folder: Path) -> bool:
    return folder.name.isdigit() and (folder / _WEIGHTS).is_file()


def _answering(model: Path) -> list[int]:
    """The numbers of the versions that a model's configuration lets answer."""
    here = [int(each.name) for each in model.iterdir() if each.name.isdigit()]
    said = _COMMENT.sub("", (model / _CONFIG).read_text(encoding="utf-8"))
    policy = _POLICY.search(said)
    if policy is None:
        return here
    wanted = {int(number) for number in re.findall(r"\d+", policy[1])}
    return [number for number in here if number in wanted]
