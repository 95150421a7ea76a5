"""What a bundle's configuration says is read whole, or refused by name; this needs no PyTorch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clarion.bundles import recipe
from clarion.bundles.convert import convert, read_recipe
from clarion.bundles.package import opened
from clarion.bundles.tests import written
from clarion.bundles.tests.written import LOAD, SEGMENTATION, intensity, orientation, spacing
from deploy.modelrepo.refused import Refused
from services.classifier.expected import ClassificationParameters
from shared.imaging.model_parameters import SegmentationParameters, read_parameters

SAID = written.metadata("background", "lesion")
SLIDING = written.sliding(64, 64, 32)
TO_MASK = written.to_mask(argmax=True)


def _parameters(
    folder: Path, configured: Mapping[str, Any], said: Mapping[str, Any] = SAID, channels: int = 2
) -> dict[str, str]:
    bundle = written.bundle(folder / "bundle", said, configured)
    (bundle / "models" / "model.ts").write_bytes(b"")
    return recipe.parameters(read_recipe(opened(bundle, folder)), channels)


def _before(*steps: dict[str, Any]) -> dict[str, Any]:
    return written.inference([*LOAD, *steps], SLIDING, TO_MASK)


def _classifying(*steps: dict[str, Any]) -> dict[str, Any]:
    after = [{"_target_": "Activationsd", "keys": "pred", "sigmoid": True}]
    return written.inference([*LOAD, *steps], {"_target_": "SimpleInferer"}, after)


def _crop(lungs: str) -> dict[str, Any]:
    return {"_target_": "CropForegroundd", "keys": ["image", lungs], "source_key": lungs}


def _cast(dtype: Any, target: str = "CastToTyped", keys: Any = "image") -> dict[str, Any]:
    return {"_target_": target, "keys": keys, "dtype": dtype}


RESIZE = {"_target_": "Resized", "keys": "image", "spatial_size": [192, 192, 64]}
UINT8 = "$__import__('numpy').uint8"


def test_a_lesion_model_is_read_whole(tmp_path: Path) -> None:
    said = _parameters(tmp_path, SEGMENTATION)

    read = read_parameters(SegmentationParameters, "lesions", said)

    assert (read.orientation, read.spacing_mm, read.grid) == ("RAS", (0.8, 0.8, 5), "centres")
    assert (read.intensity_window, read.intensity_range) == ((-1500, 500), (0, 1))
    assert (read.sampling, read.clip_first, read.pad_value) == ("linear", False, -1500)
    assert (read.window, read.overlap, read.blend) == ((32, 64, 64), (0.25,) * 3, "constant")
    assert (read.output, read.activation) == ("logits", "softmax")
    assert read.labels == {0: "background", 1: "lesion"}


def test_references_and_sums_of_them_are_followed(tmp_path: Path) -> None:
    configured = _before(orientation(), spacing("@wanted#0", 0.8, 5), intensity(-1500, 500))  # type: ignore[arg-type]
    steps = configured["preprocessing"]["transforms"]
    configured |= {"wanted": [0.8], "first": steps[:2], "rest": steps[2:]}
    configured["preprocessing"]["transforms"] = "$@first + @rest"

    assert _parameters(tmp_path, configured)["spacing_mm"] == "0.8 0.8 5"


def test_a_classifier_of_the_lungs_is_read_whole(tmp_path: Path) -> None:
    configured = _classifying(orientation(), intensity(-1000, 500), MASKED, _crop("lung"), RESIZE)

    said = _parameters(tmp_path, configured, written.metadata("COVID-19"), channels=1)

    read = read_parameters(ClassificationParameters, "classifier", said)
    assert (read.size, read.sampling, read.clip_first) == ((64, 192, 192), "area", True)
    assert (read.mask_outside, read.pad_value, read.margin_mm) == (True, -1000, 0)
    assert read.labels == {0: "no COVID-19", 1: "COVID-19"}


def test_intensities_that_are_not_clipped_keep_their_line(tmp_path: Path) -> None:
    scale = {"_target_": "NormalizeIntensityd", "keys": "image", "subtrahend": -600, "divisor": 300}

    said = _parameters(tmp_path, _before(orientation(), spacing(1, 1, 1), scale))

    read = read_parameters(SegmentationParameters, "lungs", said)
    low, high = read.intensity_window
    first, last = read.intensity_range
    assert (first + (-300 - low) / (high - low) * (last - first)) == pytest.approx(1)
    assert read.pad_value == -600


@pytest.mark.parametrize("key", ["lung", "lungs", "lung_mask", "Lung-Seg"])
def test_a_crop_to_the_lungs_is_known_by_the_name_of_their_mask(tmp_path: Path, key: str) -> None:
    configured = _classifying(orientation(), RANGE, _crop(key), RESIZE)

    assert _parameters(tmp_path, configured, channels=1)["crop"] == "lungs"


def test_a_cast_that_loses_nothing_is_read_over(tmp_path: Path) -> None:
    plain = _before(orientation(), spacing(1, 1, 2), intensity(-1500, 500))
    cast = _before(
        *(_cast("int16", "LoadImaged"), _cast("$torch.int32", "EnsureTyped"), orientation()),
        *(_cast("$np.float32"), spacing(1, 1, 2), intensity(-1500, 500)),
        *(_cast(["float32", "uint8"], keys=["image", "lung"]), _cast(UINT8, keys="lung")),
        *(_cast("$torch.float64", "ToTensord"), {"_target_": "EnsureTyped", "keys": "image"}),
    )

    assert _parameters(tmp_path / "cast", cast) == _parameters(tmp_path / "plain", plain)


FOREGROUND = {"_target_": "CropForegroundd", "keys": "image", "source_key": "image"}
PERCENTILES = {"_target_": "ScaleIntensityRangePercentilesd", "keys": "image"}
LAMBDA = {"_target_": "Orientationd", "keys": "image", "axcodes": "$open('/etc/passwd').read()"}
RANGE = intensity(-1500, 500)
MASKED = {"_target_": "MaskIntensityd", "keys": "image", "mask_key": "lung"}
TUMOUR = MASKED | {"mask_key": "tumour"}


@pytest.mark.parametrize(
    ("configured", "code", "named"),
    [
        (_before(orientation(), spacing(1, 1, 1), FOREGROUND), "transform-not", "CropForegroundd"),
        (_before(orientation(), spacing(1, 1, 1), PERCENTILES), "transform-not", "Percentilesd"),
        (_before(spacing(1, 1, 1), orientation()), "transform-order", "Orientationd"),
        (_classifying(orientation(), RANGE, _crop("heart"), RESIZE), "not-the-lungs", "heart"),
        (_classifying(orientation(), RANGE, _crop("lung_lesion"), RESIZE), "not-the-lungs", "call"),
        (_classifying(orientation(), RANGE, TUMOUR, _crop("lung"), RESIZE), "not-the-lu", "tumour"),
        (_classifying(orientation(), MASKED, _crop("lung_roi"), RESIZE), "not-the-lungs", "same"),
        (_before(orientation(), spacing(1, 1, 1), RANGE, _cast(UINT8)), "not-expressible", "uint8"),
        (_before(orientation(), spacing(1, 1, 1), _cast("int16"), RANGE), "not-exp", "CastToTyped"),
        (_before(_cast("uint8", "LoadImaged"), orientation()), "not-expressible", "LoadImaged"),
        (_before(orientation(), RANGE, _cast("int32", "EnsureTyped")), "not-exp", "EnsureTyped"),
        (_before(orientation(), RANGE | {"dtype": "$np.int16"}), "not-expressible", "ScaleIntens"),
        (_before(orientation(), RANGE, _cast("$torch.float16")), "not-expressible", "float16"),
        (_before(orientation(), _cast("$pick(image)")), "not-expressible", "pick"),
        (_before(LAMBDA, spacing(1, 1, 1)), "expression-not-run", "axcodes"),
        (_before(spacing(1, 1, 1), RANGE), "no-orientation", "axcodes"),
        (_before(orientation(), RANGE), "no-spacing", "Spacingd"),
        (_before(orientation(), spacing(1, 1, 1) | {"mode": 3}), "not-expressible", "mode is 3"),
        (_before(orientation(), spacing(1, 1, 1) | {"odd": 1}), "not-expressible", "odd"),
        (_before(orientation(), spacing(1, 1, 1), intensity(500, -500)), "not-expressible", "inv"),
        (SEGMENTATION | {"inferer": {"_target_": "SliceInferer"}}, "inferer-not", "SliceInferer"),
        (SEGMENTATION | {"inferer": {"_target_": "SimpleInferer"}}, "no-window", "roi_size"),
        (SEGMENTATION | {"inferer": SLIDING | {"roi_size": "@nothing"}}, "unknown-ref", "nothing"),
        (SEGMENTATION | {"inferer": SLIDING | {"cval": -1}}, "not-expressible", "cval"),
        (SEGMENTATION | {"postprocessing": TO_MASK[1:]}, "transform-order", "Invertd"),
        (SEGMENTATION | {"postprocessing": TO_MASK[:1] + TO_MASK[:0:-1]}, "transform-or", "Invert"),
        (SEGMENTATION | {"postprocessing": []}, "no-activation", "Activationsd"),
    ],
)
def test_what_can_not_be_expressed_is_refused_by_name(
    tmp_path: Path, configured: Mapping[str, Any], code: str, named: str
) -> None:
    with pytest.raises(Refused, match=f"(?s)^{code}.*{named}"):
        _parameters(tmp_path, configured)


def test_labels_that_may_overlap_are_refused(tmp_path: Path) -> None:
    several = SEGMENTATION | {"postprocessing": written.to_mask(threshold=0.5)}

    with pytest.raises(Refused, match="overlapping-labels"):
        _parameters(tmp_path, several)


@pytest.mark.parametrize("more", [{"modality": "MR"}, {"num_channels": 4}])
def test_what_does_not_take_one_ct_is_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="not-"):
        _parameters(tmp_path, SEGMENTATION, written.metadata("background", "tumour", **more))


def test_a_bundle_without_its_weights_is_refused(tmp_path: Path) -> None:
    bundle = written.bundle(tmp_path / "bundle", SAID, SEGMENTATION)

    with pytest.raises(Refused, match=r"no-weights.*large_files\.yml"):
        convert(bundle, tmp_path / "models")


def test_a_torchscript_file_alone_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "model.ts").write_bytes(b"")

    with pytest.raises(Refused, match="no-bundle"):
        convert(tmp_path / "model.ts", tmp_path / "models")
