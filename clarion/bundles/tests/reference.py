"""What MONAI makes of a bundle and an image, and what the pipeline makes of the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import SimpleITK as sitk  # noqa: N813
import torch
from monai.bundle import ConfigParser
from monai.data import decollate_batch, list_data_collate
from monai.networks import nets
from numpy.typing import NDArray

from clarion.bundles.convert import Converted, convert
from clarion.bundles.tests import written
from phantom import Recipe, draw
from shared.imaging import volume as volumes
from shared.imaging.volume import Volume
from shared.inference.fake import FakeInference, FakeModel
from shared.inference.port import Tensor


@dataclass(frozen=True)
class Monai:
    """What MONAI makes of an image: what the network sees, and the last of it (z, y, x)."""

    seen: NDArray[np.float32]
    made: NDArray[np.float32]


def by_monai(
    configured: Mapping[str, Any],
    network: torch.nn.Module,
    volume: Volume,
    scratch: Path,
    lungs: Volume | None = None,
) -> Monai:
    """The bundle's own configuration, run by MONAI on the volume as a file."""
    files = {"image": volume} | ({"lung": lungs} if lungs else {})
    for name, each in files.items():
        sitk.WriteImage(volumes.to_sitk(each), str(scratch / f"{name}.nii.gz"))
    parser = ConfigParser(dict(configured))
    data = parser.get_parsed_content("preprocessing")(
        {name: str(scratch / f"{name}.nii.gz") for name in files}
    )
    inferer = parser.get_parsed_content("inferer")
    batch = list_data_collate([{"image": data["image"]}])
    with torch.no_grad():
        batch["pred"] = inferer(batch["image"], network)
    seen = data["image"].numpy()[0].transpose(2, 1, 0)
    (item,) = decollate_batch(batch)
    made = parser.get_parsed_content("postprocessing")(item)["pred"].numpy()
    return Monai(seen, made[0].transpose(2, 1, 0) if made.ndim == 4 else made)


def from_script(
    scratch: Path, said: Mapping[str, Any], configured: Mapping[str, Any], network: torch.nn.Module
) -> Converted:
    """A bundle with the network as TorchScript, converted."""
    bundle = written.bundle(scratch / "bundle", said, configured)
    size = configured["inferer"].get("roi_size", [48, 48, 32])
    script = torch.jit.trace(network, torch.zeros(1, 1, *size), check_trace=False)
    script.save(str(bundle / "models" / "model.ts"))
    return _in_onnx(convert(bundle, scratch / "models", "converted"))


def from_weights(
    scratch: Path,
    said: Mapping[str, Any],
    configured: Mapping[str, Any],
    definition: Mapping[str, Any],
) -> tuple[Converted, torch.nn.Module]:
    """A bundle with a definition and weights, converted; and the network itself."""
    network = built(definition)
    with_network = {**configured, "network_def": dict(definition)}
    bundle = written.bundle(scratch / "bundle", said, with_network)
    torch.save(network.state_dict(), bundle / "models" / "model.pt")
    return _in_onnx(convert(bundle, scratch / "models", "converted")), network


def _in_onnx(made: Converted) -> Converted:
    assert (made.folder / "1" / "model.onnx").is_file(), made.notes
    return made


def built(definition: Mapping[str, Any]) -> torch.nn.Module:
    """One of MONAI's networks, with random weights."""
    torch.manual_seed(0)
    arguments = {key: value for key, value in definition.items() if key != "_target_"}
    network: torch.nn.Module = getattr(nets, definition["_target_"])(**arguments)
    return _balanced(network.eval(), definition["out_channels"])


def _balanced(network: torch.nn.Module, channels: int) -> torch.nn.Module:
    """With a last bias, if it has one, by which every label wins somewhere in a phantom."""
    biases = [each for name, each in network.named_parameters() if name.endswith("bias")]
    last = [each for each in biases if len(each) == channels]
    image = torch.from_numpy((np.clip(phantom().array, -1500, 500) + 1500) / 2000).float()
    with torch.no_grad():
        output = network(image[:32, :64, :64].permute(2, 1, 0)[None, None])
        if last and output.ndim == 5:
            last[-1].sub_(output[0].flatten(1).median(dim=1).values)
    return network


def config_of(made: Converted) -> dict[str, str]:
    """What the converted model says of itself."""
    text = (made.folder / "config.pbtxt").read_text()
    return dict(re.findall(r'key: "([^"]*)" value: { string_value: "([^"]*)"', text))


def inference(made: Converted) -> FakeInference:
    """The converted model in ONNX Runtime, which is what the embedded Triton runs it with."""
    one = onnxruntime.SessionOptions()
    one.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(made.folder / "1" / "model.onnx", one)

    def run(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        names = [each.name for each in session.get_outputs()]
        return dict(zip(names, session.run(None, dict(inputs)), strict=True))

    return FakeInference({made.name: FakeModel(run, config_of(made))})


@cache
def phantom() -> Volume:
    """A small chest on a coarse grid."""
    case = draw(Recipe.random(7, spacing=(6.0, 4.0, 4.0), shape=(45, 75, 85)))
    return on_grid(case.hu.astype(np.int16), case.spacing)


def on_grid(hu: NDArray[np.int16], spacing: tuple[float, float, float]) -> Volume:
    """Voxels (z, y, x) in Hounsfield units with their spacing in mm."""
    z, y, x = spacing
    return Volume(hu, (x, y, z), (-150.0, -120.0, 40.0))


def tilted(volume: Volume, degrees: float = 7) -> Volume:
    """Stored from head to feet, and turned a little in the plane."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    direction = (c, -s, 0.0, s, c, 0.0, 0.0, 0.0, -1.0)
    return Volume(volume.array, volume.spacing, volume.origin, direction)
