"""A trained network as ONNX, with its activation, checked against torch."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from training.config import Plan, model_path, read_parameters
from training.stamp import stamp

_OPSET = 17
_TOLERANCE = 1e-3
_ANY_SIZE = {0: "batch", 2: "z", 3: "y", 4: "x"}


class _Activated(nn.Module):
    """The network with its activation: sigmoid or softmax."""

    def __init__(self, network: nn.Module, activation: str) -> None:
        super().__init__()
        self.network = network
        self.activation = nn.Sigmoid() if activation == "sigmoid" else nn.Softmax(dim=1)

    def forward(self, volume: Tensor) -> Tensor:
        probabilities: Tensor = self.activation(self.network(volume))
        return probabilities


def export(plan: Plan, net: nn.Module) -> Path:
    """Write `models/<name>/1/model.onnx` and stamp its digest into the configuration.

    Raises `ValueError` when ONNX Runtime disagrees with torch.
    """
    path = model_path(plan.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    net = net.to(memory_format=torch.contiguous_format)
    if plan.task == "classification":
        _write(net, path, plan.patch, {"probabilities": {0: "batch"}, "saliency": {0: "batch"}})
    else:
        whole = _Activated(net, read_parameters(plan.name)["activation"])
        _write(whole, path, plan.patch, {"probabilities": _ANY_SIZE})
    stamp(path.parent.parent)
    return path


def _write(
    model: nn.Module, path: Path, size: tuple[int, int, int], outputs: dict[str, dict[int, str]]
) -> None:
    """The volume's axes are as free as the first output's."""
    model.eval()
    axes = outputs["probabilities"]
    torch.onnx.export(
        model,
        (torch.zeros(1, 1, *(size if axes is not _ANY_SIZE else (32, 48, 64))),),
        str(path),
        input_names=["volume"],
        output_names=list(outputs),
        dynamic_axes={"volume": axes, **outputs},
        opset_version=_OPSET,
        dynamo=False,
    )
    onnx.checker.check_model(onnx.load(path), full_check=True)
    _compare(model, path, size)


def _compare(model: nn.Module, path: Path, size: tuple[int, int, int]) -> None:
    volume = np.random.default_rng(0).uniform(-1, 1, (1, 1, *size)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"volume": volume})
    with torch.no_grad():
        answer = model(torch.from_numpy(volume))
    ours = answer if isinstance(answer, tuple) else (answer,)
    pairs = zip(ours, theirs, strict=True)
    difference = max(float(np.abs(a.numpy() - b).max()) for a, b in pairs)
    if difference > _TOLERANCE:
        raise ValueError(f"ONNX Runtime differs from torch by {difference:.2g}")
