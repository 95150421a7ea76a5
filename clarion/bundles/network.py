"""A bundle's network: opened, turned to (z, y, x), exported, and compared with what it was.

The one module that needs PyTorch, and MONAI where a bundle has weights alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from clarion.bundles import script
from clarion.bundles.component import Component
from clarion.bundles.package import Bundle
from clarion.bundles.references import followed
from deploy.modelrepo.refused import Refused

Size = tuple[int, int, int]
_OPSET = 17
_TOLERANCE = 1e-3
_WRAPPED = ("model", "state_dict", "net", "network")


@dataclass(frozen=True)
class Exported:
    """The file of the weights, and why it is TorchScript when it is."""

    path: Path
    input_tensor: str
    output_tensor: str
    difference: float
    why_torchscript: str | None = None


class Turned(nn.Module):
    """The network for axes (z, y, x): MONAI's are (x, y, z). `classes` is a classifier's order."""

    order: Tensor

    def __init__(self, network: nn.Module, classes: Sequence[int] | None) -> None:
        super().__init__()
        self.network = network
        self.classifies = classes is not None
        self.register_buffer("order", torch.tensor(list(classes or ())).long())

    def forward(self, volume: Tensor) -> Tensor:
        output = self.network(volume.permute(0, 1, 4, 3, 2))
        if self.classifies:
            output = output.index_select(1, self.order)
        else:
            output = output.permute(0, 1, 4, 3, 2)
        return output.contiguous()


def opened(bundle: Bundle) -> tuple[nn.Module, str | None]:
    """The network, for inference, and why it is the bundle's TorchScript where it is.

    That is a program, so it is taken only where MONAI's own network with the bundle's weights
    can't be. Raises `Refused`.
    """
    if bundle.torchscript is None:
        return _with_weights(bundle), None
    if bundle.weights is None:
        return script.opened(bundle.torchscript), "models/ has no model.pt"
    try:
        return _with_weights(bundle), None
    except Refused as refused:
        why = f"models/model.pt can't be used: {refused.text}"
    try:
        return script.opened(bundle.torchscript), why
    except Refused as refused:
        raise Refused(refused.code, f"{refused.text}; {why}") from refused


def output_channels(network: nn.Module, size: Size, classifies: bool) -> int:
    """How many channels an input (x, y, z) gives. Raises `Refused` for another kind of output."""
    x, y, z = size
    with _once():
        try:
            output = network(torch.zeros(1, 1, x, y, z))
        except (RuntimeError, ValueError) as error:
            raise Refused(
                "network-fails", f"the network does not take {x}x{y}x{z}: {_first(error)}"
            ) from error
    shape = tuple(output.shape) if isinstance(output, Tensor) else ()
    wanted = shape[:2] if classifies else (*shape[:2], x, y, z)
    if len(shape) < 2 or shape != wanted:
        raise Refused(
            "unexpected-output",
            f"{x}x{y}x{z} gives {list(shape) or type(output).__name__}; expected is one tensor of "
            f"{'classes' if classifies else 'channels of the same size'}",
        )
    return int(shape[1])


def export(
    network: nn.Module, size: Size, folder: Path, classes: Sequence[int] | None, any_size: bool
) -> Exported:
    """Write `model.onnx`, or `model.pt` (TorchScript) where ONNX fails.

    `classes` are a classifier's channels in the order that is wanted, None for a segmentation.
    """
    turned, example = _turned(network, classes), _example(size)
    try:
        path = _as_onnx(turned, example, folder / "model.onnx", classes is not None, any_size)
        difference = _difference(turned, path, example)
    except Exception as error:  # whatever the exporter meets: it has no error of its own
        why = _first(error)
    else:
        if difference <= _TOLERANCE:
            return Exported(path, "volume", "logits", difference)
        why = f"in ONNX Runtime its output differs by {difference:.2g}"
    (folder / "model.onnx").unlink(missing_ok=True)
    path = folder / "model.pt"
    scripted = isinstance(turned, torch.jit.ScriptModule)
    (turned if scripted else torch.jit.trace(turned, example)).save(str(path))
    return Exported(path, "INPUT__0", "OUTPUT__0", 0.0, why)


def _turned(network: nn.Module, classes: Sequence[int] | None) -> nn.Module:
    turned: nn.Module = Turned(network, classes).eval()
    # What is TorchScript already can't be traced once more as a part of something.
    scripted = isinstance(network, torch.jit.ScriptModule)
    return torch.jit.script(turned) if scripted else turned


def _as_onnx(
    turned: nn.Module, example: Tensor, path: Path, classifies: bool, any_size: bool
) -> Path:
    axes = {0: "batch"} | ({2: "z", 3: "y", 4: "x"} if any_size else {})
    torch.onnx.export(
        turned,
        (example,),
        str(path),
        input_names=["volume"],
        output_names=["logits"],
        dynamic_axes={"volume": axes, "logits": {0: "batch"} if classifies else axes},
        opset_version=_OPSET,
        dynamo=False,
    )
    return path


def _difference(turned: nn.Module, path: Path, example: Tensor) -> float:
    """The largest difference of the outputs, as a share of the largest output above 1."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"volume": example.numpy()})
    with _once():
        ours = turned(example).numpy()
    return float(np.abs(ours - theirs).max() / max(1.0, np.abs(ours).max()))


@contextmanager
def _once() -> Iterator[None]:
    """For a network run once: TorchScript would take minutes to make the runs after it faster."""
    with torch.no_grad(), torch.jit.optimized_execution(False):
        yield


def _example(size: Size) -> Tensor:
    x, y, z = size
    values = np.random.default_rng(0).uniform(0, 1, (1, 1, z, y, x)).astype(np.float32)
    return torch.from_numpy(values)


def _with_weights(bundle: Bundle) -> nn.Module:
    network = _built(bundle.inference)
    try:
        network.load_state_dict(_state(bundle))
    except (RuntimeError, TypeError, AttributeError) as error:
        raise Refused(
            "weights-do-not-fit", f"models/model.pt does not fit network_def: {_first(error)}"
        ) from error
    return network.eval()


def _built(inference: Mapping[str, Any]) -> nn.Module:
    """The network of `network_def`: a class of MONAI's with plain arguments, nothing else."""
    try:
        from monai.networks import nets
    except ImportError as error:
        raise Refused("monai-missing", "building the network of network_def needs it") from error
    definition = followed(inference.get("network_def", inference.get("network")), inference)
    if not isinstance(definition, Mapping):
        raise Refused(
            "no-network", "inference has no network_def; export the bundle as TorchScript"
        )
    component = Component("network_def", definition)
    # What "pretrained…" would fetch from elsewhere, the weights in model.pt replace.
    wanted = (key for key in definition if not key.startswith(("_", "pretrained")))
    arguments = {key: component.take(key) for key in wanted}
    path, _, name = component.target.rpartition(".")
    known = not path or path.startswith("monai.networks.nets")
    found = getattr(nets, name, None) if known else None
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise component.refused(
            "network-not-known",
            f"{component.target} is no network of monai.networks.nets, and Python of a bundle is "
            "never run",
            "export the bundle as TorchScript, models/model.ts (monai.bundle ckpt_export)",
        )
    try:
        built: nn.Module = found(**arguments)
    except Exception as error:  # whatever a network makes of its arguments
        raise component.refused(
            "network-not-built", _first(error), "check network_def, or export models/model.ts"
        ) from error
    return built


def _state(bundle: Bundle) -> Mapping[str, Any]:
    assert bundle.weights is not None  # noqa: S101 - a bundle without either is refused
    try:
        # weights_only: nothing in the file can be run.
        state = torch.load(bundle.weights, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's, zipfile's and torch's own
        raise Refused(
            "unreadable-network",
            f"models/model.pt holds more than weights, or is broken: {_first(error)}",
        ) from error
    for key in _WRAPPED:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping):
        raise Refused("unreadable-network", "models/model.pt holds no state_dict")
    return state


def _first(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
