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
    activation = read_parameters(plan.name)["activation"]
    model = _Activated(net.to(memory_format=torch.contiguous_format), activation).eval()
    fixed = plan.task == "classification"
    axes = {0: "batch"} if fixed else {0: "batch", 2: "z", 3: "y", 4: "x"}
    outputs = {0: "batch"} if fixed else axes
    size = plan.patch if fixed else (32, 48, 64)
    torch.onnx.export(
        model,
        (torch.zeros(1, 1, *size),),
        str(path),
        input_names=["volume"],
        output_names=["probabilities"],
        dynamic_axes={"volume": axes, "probabilities": outputs},
        opset_version=_OPSET,
        dynamo=False,
    )
    onnx.checker.check_model(onnx.load(path), full_check=True)
    _compare(model, path, plan.patch)
    stamp(path.parent.parent)
    return path


def _compare(model: nn.Module, path: Path, size: tuple[int, int, int]) -> None:
    volume = np.random.default_rng(0).uniform(-1, 1, (1, 1, *size)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"volume": volume})
    with torch.no_grad():
        ours = model(torch.from_numpy(volume)).numpy()
    difference = float(np.abs(ours - theirs).max())
    if difference > _TOLERANCE:
        raise ValueError(f"ONNX Runtime differs from torch by {difference:.2g}")
