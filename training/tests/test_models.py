"""The model repository: each model is valid, fits its configuration, and says what it is not."""

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from training.config import MODELS, NAMES, read_parameters

SEGMENTATION = ("lung_seg", "lesion_seg")
EVERY = {
    "kind",
    "algorithm_name",
    "version",
    "training_data",
    "sha256",
    "orientation",
    "intensity_window",
    "intensity_range",
    "pad_value",
    "output",
    "activation",
    "labels",
    "threshold",
}
OF_KIND = {
    "segmentation": {"spacing_mm", "pad_multiple", "max_tile", "postprocess"},
    "classification": {"crop", "margin_mm", "size", "mask_outside"},
}

OPTIONAL = {
    "gate",
    "intra_op_thread_count",
    "enable_mem_pattern",
    "memory.enable_memory_arena_shrinkage",
    "saliency_output",
    "border_hu",
}
"""The input gate, what Triton's ONNX Runtime reads, where a classifier shows what it saw, the
border's HU."""


def config(name: str) -> model_config_pb2.ModelConfig:
    text = (MODELS / name / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def model_file(name: str) -> Path:
    return MODELS / name / "1" / "model.onnx"


def infer(name: str, *size: int) -> np.ndarray:
    session = onnxruntime.InferenceSession(model_file(name), providers=["CPUExecutionProvider"])
    output, *_ = session.run(None, {"volume": np.full((1, 1, *size), -1, np.float32)})
    return np.asarray(output)


@pytest.mark.parametrize("name", NAMES)
def test_onnx_is_valid_and_small(name: str) -> None:
    onnx.checker.check_model(onnx.load(model_file(name)), full_check=True)
    assert model_file(name).stat().st_size < 16 * 2**20


@pytest.mark.parametrize("name", NAMES)
def test_tensors_are_those_of_the_configuration(name: str) -> None:
    session = onnxruntime.InferenceSession(model_file(name), providers=["CPUExecutionProvider"])
    tensors = [*session.get_inputs(), *session.get_outputs()]
    declared = [*config(name).input, *config(name).output]
    assert [t.name for t in tensors] == [d.name for d in declared]
    for tensor, d in zip(tensors, declared, strict=True):
        # The batch comes first and is Triton's; a size that is a name in ONNX is -1 in Triton.
        assert [n if isinstance(n, int) else -1 for n in tensor.shape[1:]] == list(d.dims)
        assert (tensor.type, d.data_type) == ("tensor(float)", model_config_pb2.TYPE_FP32)


@pytest.mark.parametrize("name", SEGMENTATION)
def test_segmentation_takes_any_size_that_is_padded(name: str) -> None:
    multiple = int(read_parameters(name)["pad_multiple"])
    output = infer(name, multiple, 2 * multiple, 3 * multiple)
    assert output.shape[2:] == (multiple, 2 * multiple, 3 * multiple)
    assert 0 <= output.min() <= output.max() <= 1


def test_classifier_gives_probabilities_that_sum_to_one() -> None:
    size = [int(n) for n in read_parameters("covid_classifier")["size"].split()]
    assert infer("covid_classifier", *size).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_complete(name: str) -> None:
    parameters = read_parameters(name)
    assert parameters == {k: v.string_value for k, v in config(name).parameters.items()}
    assert set(parameters) - OPTIONAL == EVERY | OF_KIND[parameters["kind"]]


@pytest.mark.parametrize("name", NAMES)
def test_priorities_work(name: str) -> None:
    batching = config(name).dynamic_batching
    assert (config(name).max_batch_size, batching.priority_levels) == (1, 3)
    assert batching.default_priority_level == 2


@pytest.mark.parametrize("name", NAMES)
def test_card_says_what_the_model_is_not_for(name: str) -> None:
    card = (MODELS / name / "card.md").read_text().lower()
    assert re.search(r"research use only", card)
    assert re.search(r"not for diagnosis", card)
    assert {"## data", "## measured", "## limits"} <= set(card.splitlines())
