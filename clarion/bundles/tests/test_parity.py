"""A converted bundle gives what MONAI itself gives: its transforms, inferer and network.

The networks have random weights: their masks are as ragged as masks can be, which shows a
difference of a fraction of a voxel.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from numpy.typing import NDArray

from clarion.bundles.convert import Converted
from clarion.bundles.tests import written
from clarion.bundles.tests.reference import (
    built,
    by_monai,
    config_of,
    from_script,
    from_weights,
    inference,
    on_grid,
    phantom,
    tilted,
)
from phantom import Recipe, draw
from services.classifier.crop import lung_crop
from services.classifier.expected import ClassificationParameters
from shared.events.models import Lane
from shared.imaging import volume as volumes
from shared.imaging.model_parameters import SegmentationParameters, read_parameters
from shared.imaging.segment import ask, prepare, scaled, segment
from shared.imaging.volume import Volume

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


def test_segresnet_for_lesions_with_gaussian_windows(tmp_path: Path) -> None:
    configured = written.inference(
        [*written.LOAD, written.orientation(), written.spacing(4, 4, 10), CLIPPED],
        written.sliding(32, 32, 8, mode="gaussian", overlap=[0.25, 0.5, 0.6]),
        written.to_mask(argmax=True),
    )
    said = written.metadata("background", "lesion")
    made, network = from_weights(tmp_path, said, configured, SMALL_SEGRESNET)

    _same_masks(made, configured, network, tilted(phantom()), tmp_path)


def test_unet_with_three_labels_and_their_largest_parts(tmp_path: Path) -> None:
    largest = {"_target_": "KeepLargestConnectedComponentd", "keys": "pred"}
    configured = written.inference(
        [*written.LOAD, written.orientation("SPL"), written.spacing(7, 4.2, 4.6), CLIPPED],
        written.sliding(24, 40, 32, overlap=0.5),
        [*written.to_mask(argmax=True), largest | {"applied_labels": [1, 2]}],
    )
    said = written.metadata("background", "left lung", "right lung")
    made, network = from_weights(
        tmp_path, said, configured, SMALL_UNET | {"out_channels": 3, "_target_": "UNet"}
    )

    _same_masks(made, configured, network, phantom(), tmp_path)


def test_torchscript_of_one_channel_with_clipping_first_and_padded_windows(tmp_path: Path) -> None:
    configured = written.inference(
        [*written.LOAD, CLIPPED, written.orientation("LPS"), written.spacing(6, 6, 6)],
        written.sliding(64, 48, 48, cval=0.2, overlap=0),
        written.to_mask(threshold=0.4),
    )
    network = built(SMALL_UNET | {"out_channels": 1, "_target_": "UNet"})
    made = from_script(tmp_path, written.metadata("lesion"), configured, network)

    _same_masks(made, configured, network, phantom(), tmp_path)


def test_a_grid_that_ends_halfway_between_two_slices(tmp_path: Path) -> None:
    configured = written.inference(
        [*written.LOAD, written.orientation(), written.spacing(8, 8, 12), CLIPPED],
        written.sliding(24, 24, 16, overlap=0.25),
        written.to_mask(argmax=True),
    )
    said = written.metadata("background", "lesion")
    made, network = from_weights(tmp_path, said, configured, SMALL_SEGRESNET)
    # 43 gaps of 6 mm are 21.5 of 12 mm.
    even = phantom().like(phantom().array[:44].copy())

    _same_masks(made, configured, network, even, tmp_path)


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
    made, network = from_weights(tmp_path, said, configured, definition)

    _same_masks(made, configured, network, phantom(), tmp_path)


def test_segresnet_on_a_real_ct(tmp_path: Path) -> None:
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is not here: real CT is not part of the repository")
    configured = written.inference(
        [*written.LOAD, written.orientation(), written.spacing(6, 6, 8), CLIPPED],
        written.sliding(48, 48, 16, overlap=0.25),
        written.to_mask(argmax=True),
    )
    said = written.metadata("background", "lesion")
    made, network = from_weights(tmp_path, said, configured, SMALL_SEGRESNET)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(REAL))
    real = volumes.from_sitk(sitk.Cast(sitk.ReadImage(names), sitk.sitkInt16))

    _same_masks(made, configured, network, real, tmp_path)


@pytest.mark.parametrize("mode", ["trilinear", "area"])
@pytest.mark.parametrize("masked", [False, True])
def test_a_classifier_sees_the_crop_that_monai_makes(
    tmp_path: Path, mode: str, masked: bool
) -> None:
    configured = _classification(mode, masked)
    network = _Pooled()
    made = from_script(tmp_path, written.metadata("COVID-19"), configured, network)
    case = draw(Recipe.random(3, spacing=(6.0, 4.0, 4.0), shape=(50, 80, 90)))
    volume = tilted(on_grid(case.hu.astype(np.int16), case.spacing), degrees=0)
    lungs = volume.like((case.lungs > 0).astype(np.uint8))
    reference = by_monai(configured, network, volume, tmp_path, lungs)
    read = read_parameters(ClassificationParameters, made.name, config_of(made))

    crop = scaled(lung_crop(volume, lungs, read), read)

    np.testing.assert_allclose(crop, reference.seen, atol=1e-3)


def test_densenet121_gives_its_probability(tmp_path: Path) -> None:
    configured = _classification("trilinear")
    definition = {"_target_": "DenseNet121", "spatial_dims": 3, "in_channels": 1, "out_channels": 1}
    said = written.metadata("COVID-19")
    made, network = from_weights(tmp_path, said, configured, definition)
    crop = np.random.default_rng(0).random((32, 48, 48), np.float32)
    read = read_parameters(ClassificationParameters, made.name, config_of(made))

    found = ask(crop, made.name, read, inference(made), Lane.ROUTINE)

    with torch.no_grad():
        logit = network(torch.from_numpy(crop.transpose(2, 1, 0).copy())[None, None])
    np.testing.assert_allclose(found, torch.sigmoid(logit)[0].numpy(), atol=1e-3)


CLIPPED = written.intensity(-1500, 500)


class _Pooled(torch.nn.Module):
    """A classifier as small as can be: the mean, as a logit."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.mean(dim=(2, 3, 4))


def _classification(mode: str, masked: bool = False) -> dict[str, Any]:
    both = {"keys": ["image", "lung"]}
    # 0, which masking leaves outside the lungs, is then -518.4 HU.
    scaled_to = (-3.31, 7) if masked else (0, 1)
    mask = {"_target_": "MaskIntensityd", "keys": "image", "mask_key": "lung"}
    before = [
        *[step | both for step in written.LOAD],
        written.orientation() | both,
        written.intensity(-1000, 500, *scaled_to),
        *([mask] if masked else []),
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
    reference = by_monai(configured, network, volume, scratch)
    read = read_parameters(SegmentationParameters, made.name, config_of(made))
    seen = scaled(prepare(volume, read).hu, read)
    mask = segment(volume, made.name, inference(made)).array

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
