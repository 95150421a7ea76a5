"""A converted bundle gives what MONAI itself gives: its transforms, inferer and network.

The networks have random weights: their masks are as ragged as masks can be, which shows a
difference of a fraction of a voxel.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from monai.bundle import ConfigParser
from monai.data import decollate_batch, list_data_collate
from monai.networks import nets
from numpy.typing import NDArray

from clarion.bundles.convert import Converted, convert
from clarion.bundles.tests import written
from phantom import Recipe, draw
from services.classifier.crop import lung_crop
from services.classifier.expected import ClassificationParameters
from shared.events.models import Lane
from shared.imaging import volume as volumes
from shared.imaging.model_parameters import SegmentationParameters, read_parameters
from shared.imaging.segment import ask, prepare, scaled, segment
from shared.imaging.volume import Volume
from shared.inference.fake import FakeInference, FakeModel
from shared.inference.port import Tensor

pytestmark = pytest.mark.torch
# Networks this small are slower on several threads, and very much slower on a busy machine.
torch.set_num_threads(1)

REAL = Path("../shared/data/chest-ct-real/lung_dx_a0001_soft")
SMALL_SEGRESNET = {
    "_target_": "SegResNet",
    "spatial_dims": 3,
    "init_filters": 8,
    "in_channels": 1,
    "out_channels": 2,
}
SMALL_UNET = {
    "spatial_dims": 3,
    "in_channels": 1,
    "channels": [4, 8, 16],
    "strides": [2, 2],
    "num_res_units": 1,
}


@dataclass(frozen=True)
class Monai:
    """What MONAI makes of an image: what the network sees, and the last of it (z, y, x)."""

    seen: NDArray[np.float32]
    made: NDArray[np.float32]


def test_segresnet_for_lesions_with_gaussian_windows(tmp_path: Path) -> None:
    configured = written.inference(
        [*written.LOAD, written.orientation(), written.spacing(4, 4, 10), CLIPPED],
        written.sliding(32, 32, 8, mode="gaussian", overlap=[0.25, 0.5, 0.6]),
        written.to_mask(argmax=True),
    )
    said = written.metadata("background", "lesion")
    made, network = _from_weights(tmp_path, said, configured, SMALL_SEGRESNET)

    _same_masks(made, configured, network, _tilted(_phantom()), tmp_path)


def test_unet_with_three_labels_and_their_largest_parts(tmp_path: Path) -> None:
    largest = {"_target_": "KeepLargestConnectedComponentd", "keys": "pred"}
    configured = written.inference(
        [*written.LOAD, written.orientation("SPL"), written.spacing(7, 4.2, 4.6), CLIPPED],
        written.sliding(24, 40, 32, overlap=0.5),
        [*written.to_mask(argmax=True), largest | {"applied_labels": [1, 2]}],
    )
    said = written.metadata("background", "left lung", "right lung")
    made, network = _from_weights(
        tmp_path, said, configured, SMALL_UNET | {"out_channels": 3, "_target_": "UNet"}
    )

    _same_masks(made, configured, network, _phantom(), tmp_path)


def test_torchscript_of_one_channel_with_clipping_first_and_padded_windows(tmp_path: Path) -> None:
    configured = written.inference(
        [*written.LOAD, CLIPPED, written.orientation("LPS"), written.spacing(6, 6, 6)],
        written.sliding(64, 48, 48, cval=0.2, overlap=0),
        written.to_mask(threshold=0.4),
    )
    network = _built(SMALL_UNET | {"out_channels": 1, "_target_": "UNet"})
    made = _from_script(tmp_path, written.metadata("lesion"), configured, network)

    _same_masks(made, configured, network, _phantom(), tmp_path)


def test_ahnet_for_lungs(tmp_path: Path) -> None:
    configured = written.inference(
        [*written.LOAD, written.orientation(), written.spacing(6, 6, 8), CLIPPED],
        written.sliding(64, 64, 32, overlap=0),
        written.to_mask(argmax=True),
    )
    small = {"layers": [1, 1, 1, 1], "psp_block_num": 3, "upsample_mode": "transpose"}
    plain = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2}
    said = written.metadata("background", "lung")
    definition = {"_target_": "AHNet", **plain, **small}
    made, network = _from_weights(tmp_path, said, configured, definition)

    _same_masks(made, configured, network, _phantom(), tmp_path)


def test_segresnet_on_a_real_ct(tmp_path: Path) -> None:
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is not here: real CT is not part of the repository")
    configured = written.inference(
        [*written.LOAD, written.orientation(), written.spacing(6, 6, 8), CLIPPED],
        written.sliding(48, 48, 16, overlap=0.25),
        written.to_mask(argmax=True),
    )
    said = written.metadata("background", "lesion")
    made, network = _from_weights(tmp_path, said, configured, SMALL_SEGRESNET)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(REAL))
    real = volumes.from_sitk(sitk.Cast(sitk.ReadImage(names), sitk.sitkInt16))

    _same_masks(made, configured, network, real, tmp_path)


@pytest.mark.parametrize("mode", ["trilinear", "area"])
def test_a_classifier_sees_the_crop_that_monai_makes(tmp_path: Path, mode: str) -> None:
    configured = _classification(mode)
    network = _Pooled()
    made = _from_script(tmp_path, written.metadata("COVID-19"), configured, network)
    case = draw(Recipe.random(3, spacing=(6.0, 4.0, 4.0), shape=(50, 80, 90)))
    volume = _tilted(_on_grid(case.hu.astype(np.int16), case.spacing), degrees=0)
    lungs = volume.like((case.lungs > 0).astype(np.uint8))
    reference = _monai(configured, network, volume, tmp_path, lungs)
    read = read_parameters(ClassificationParameters, made.name, _said(made))

    crop = scaled(lung_crop(volume, lungs, read), read)

    np.testing.assert_allclose(crop, reference.seen, atol=1e-3)


def test_densenet121_gives_its_probability(tmp_path: Path) -> None:
    configured = _classification("trilinear")
    definition = {"_target_": "DenseNet121", "spatial_dims": 3, "in_channels": 1, "out_channels": 1}
    said = written.metadata("COVID-19")
    made, network = _from_weights(tmp_path, said, configured, definition)
    crop = np.random.default_rng(0).random((32, 48, 48), np.float32)
    read = read_parameters(ClassificationParameters, made.name, _said(made))

    found = ask(crop, made.name, read, _inference(made), Lane.ROUTINE)

    with torch.no_grad():
        logit = network(torch.from_numpy(crop.transpose(2, 1, 0).copy())[None, None])
    np.testing.assert_allclose(found, torch.sigmoid(logit)[0].numpy(), atol=1e-3)


CLIPPED = written.intensity(-1500, 500)


class _Pooled(torch.nn.Module):
    """A classifier as small as can be: the mean, as a logit."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.mean(dim=(2, 3, 4))


def _classification(mode: str) -> dict[str, Any]:
    both = {"keys": ["image", "lung"]}
    before = [
        *[step | both for step in written.LOAD],
        written.orientation() | both,
        written.intensity(-1000, 500),
        {"_target_": "CropForegroundd", **both, "source_key": "lung"},
        {"_target_": "Resized", "keys": "image", "spatial_size": [48, 48, 32], "mode": mode},
    ]
    after = [{"_target_": "Activationsd", "keys": "pred", "sigmoid": True}]
    return written.inference(before, {"_target_": "SimpleInferer"}, after)


def _same_masks(
    made: Converted,
    configured: Mapping[str, Any],
    network: torch.nn.Module,
    volume: Volume,
    scratch: Path,
) -> None:
    reference = _monai(configured, network, volume, scratch)
    read = read_parameters(SegmentationParameters, made.name, _said(made))
    seen = scaled(prepare(volume, read).hu, read)
    mask = segment(volume, made.name, _inference(made)).array

    assert seen.shape == reference.seen.shape
    assert float(np.abs(seen - reference.seen).max()) < 1e-3
    assert mask.shape == reference.made.shape
    labels = sorted(read.foreground)
    dices = [_dice(np.equal(mask, each), reference.made == each) for each in labels]
    shares = [float((reference.made == each).mean()) for each in (0, *labels)]
    logging.getLogger(__name__).info("shares %s, Dice %s", shares, dices)
    assert 0.02 < min(shares) <= max(shares) < 0.98
    assert min(dices) >= 0.999


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def _monai(
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


def _from_script(
    scratch: Path, said: Mapping[str, Any], configured: Mapping[str, Any], network: torch.nn.Module
) -> Converted:
    bundle = written.bundle(scratch / "bundle", said, configured)
    size = configured["inferer"].get("roi_size", [48, 48, 32])
    script = torch.jit.trace(network, torch.zeros(1, 1, *size), check_trace=False)
    script.save(str(bundle / "models" / "model.ts"))
    return _in_onnx(convert(bundle, scratch / "models", "converted"))


def _from_weights(
    scratch: Path,
    said: Mapping[str, Any],
    configured: Mapping[str, Any],
    definition: Mapping[str, Any],
) -> tuple[Converted, torch.nn.Module]:
    network = _built(definition)
    with_network = {**configured, "network_def": dict(definition)}
    bundle = written.bundle(scratch / "bundle", said, with_network)
    torch.save(network.state_dict(), bundle / "models" / "model.pt")
    return _in_onnx(convert(bundle, scratch / "models", "converted")), network


def _in_onnx(made: Converted) -> Converted:
    assert (made.folder / "1" / "model.onnx").is_file(), made.notes
    return made


def _built(definition: Mapping[str, Any]) -> torch.nn.Module:
    torch.manual_seed(0)
    arguments = {key: value for key, value in definition.items() if key != "_target_"}
    network: torch.nn.Module = getattr(nets, definition["_target_"])(**arguments)
    return _balanced(network.eval(), definition["out_channels"])


def _balanced(network: torch.nn.Module, channels: int) -> torch.nn.Module:
    """With a last bias, if it has one, by which every label wins somewhere in a phantom."""
    biases = [each for name, each in network.named_parameters() if name.endswith("bias")]
    last = [each for each in biases if len(each) == channels]
    image = torch.from_numpy((np.clip(_phantom().array, -1500, 500) + 1500) / 2000).float()
    with torch.no_grad():
        output = network(image[:32, :64, :64].permute(2, 1, 0)[None, None])
        if last and output.ndim == 5:
            last[-1].sub_(output[0].flatten(1).median(dim=1).values)
    return network


def _said(made: Converted) -> dict[str, str]:
    text = (made.folder / "config.pbtxt").read_text()
    return dict(re.findall(r'key: "([^"]*)" value: { string_value: "([^"]*)"', text))


def _inference(made: Converted) -> FakeInference:
    """The converted model in ONNX Runtime, which is what the embedded Triton runs it with."""
    one = onnxruntime.SessionOptions()
    one.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(made.folder / "1" / "model.onnx", one)

    def run(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        names = [each.name for each in session.get_outputs()]
        return dict(zip(names, session.run(None, dict(inputs)), strict=True))

    return FakeInference({made.name: FakeModel(run, _said(made))})


@cache
def _phantom() -> Volume:
    case = draw(Recipe.random(7, spacing=(6.0, 4.0, 4.0), shape=(45, 75, 85)))
    return _on_grid(case.hu.astype(np.int16), case.spacing)


def _on_grid(hu: NDArray[np.int16], spacing: tuple[float, float, float]) -> Volume:
    z, y, x = spacing
    return Volume(hu, (x, y, z), (-150.0, -120.0, 40.0))


def _tilted(volume: Volume, degrees: float = 7) -> Volume:
    """Stored from head to feet, and turned a little in the plane."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    direction = (c, -s, 0.0, s, c, 0.0, 0.0, 0.0, -1.0)
    return Volume(volume.array, volume.spacing, volume.origin, direction)
