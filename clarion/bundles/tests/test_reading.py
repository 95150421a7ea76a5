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
    return written.inference([*LOAD, *steps], {"_target_": "SimpleInferer"}, [SIGMOID])


def _classifier(folder: Path, *names: str, after: written.Steps) -> ClassificationParameters:
    """What is read of a classifier whose channel_def has these names."""
    before = [*LOAD, orientation(), RANGE, _crop("lung"), RESIZE]
    configured = written.inference(before, {"_target_": "SimpleInferer"}, after)
    channels = 1 if SIGMOID in after else len(names)
    said = _parameters(folder, configured, written.metadata(*names), channels)
    return read_parameters(ClassificationParameters, "classifier", said)


def _crop(lungs: str) -> dict[str, Any]:
    return {"_target_": "CropForegroundd", "keys": ["image", lungs], "source_key": lungs}


def _cast(dtype: Any, target: str = "CastToTyped", keys: Any = "image") -> dict[str, Any]:
    return {"_target_": target, "keys": keys, "dtype": dtype}


SIGMOID = {"_target_": "Activationsd", "keys": "pred", "sigmoid": True}
SOFTMAX = {"_target_": "Activationsd", "keys": "pred", "softmax": True}
ARGMAX = {"_target_": "AsDiscreted", "keys": "pred", "argmax": True}
CUT = {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.3}
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


@pytest.mark.parametrize(
    ("names", "after", "threshold"),
    [
        (["COVID-19"], [SIGMOID], None),
        (["COVID-19"], [SIGMOID, CUT], 0.3),
        (["no", "yes"], [SOFTMAX], None),
        (["no", "yes"], [SOFTMAX, ARGMAX], 0.5),
        (["no", "viral", "bacterial"], [SOFTMAX, ARGMAX], None),
    ],
)
def test_a_classifier_has_the_operating_point_that_its_bundle_tells(
    tmp_path: Path, names: list[str], after: written.Steps, threshold: float | None
) -> None:
    assert _classifier(tmp_path, *names, after=after).threshold == threshold


@pytest.mark.parametrize(
    ("names", "subject"),
    [
        (["non-COVID-19", "COVID-19"], "COVID-19"),
        (["COVID-19", "non-COVID-19"], "COVID-19"),
        (["COVID-19 pneumonia", "nonCOVID"], "COVID-19 pneumonia"),
        (["pneumonia", "healthy lungs"], "pneumonia"),
        (["nodule", "no finding"], "nodule"),
        (["nodule", "none"], "nodule"),
        (["abnormal", "not abnormal", "normal"], "abnormal"),
        (["usual interstitial", "nonspecific interstitial"], "nonspecific interstitial"),
        (["viral", "bacterial", "normal"], "bacterial"),
        (["normal", "not normal"], "not normal"),
    ],
)
def test_the_class_that_is_looked_for_is_put_last(
    tmp_path: Path, names: list[str], subject: str
) -> None:
    read = _classifier(tmp_path, *names, after=[SOFTMAX])

    assert sorted(read.labels.values()) == sorted(names)
    assert read.labels[len(names) - 1] == subject


@pytest.mark.parametrize("keys", [["image", "label"], ["label", "image"]])
def test_of_what_is_given_for_each_key_the_images_is_read(tmp_path: Path, keys: list[str]) -> None:
    def of_each(image: Any, label: Any) -> list[Any]:
        return [image if key == "image" else label for key in keys]

    both = {"keys": keys, "mode": of_each("bilinear", "nearest")}
    segmenting = _before(orientation(), spacing(1, 1, 2) | both, RANGE)
    resize = RESIZE | {"keys": keys, "mode": of_each("trilinear", "nearest")}
    classifying = _classifying(orientation(), RANGE, _crop("lung"), resize)

    assert _parameters(tmp_path / "one", segmenting)["sampling"] == "linear"
    assert _parameters(tmp_path / "two", classifying, channels=1)["sampling"] == "linear"


@pytest.mark.parametrize("keys", [["pred", "label"], ["label", "pred"]])
def test_of_what_is_given_for_each_key_the_predictions_is_read(
    tmp_path: Path, keys: list[str]
) -> None:
    cut = {"keys": keys, "threshold": [0.3 if key == "pred" else 0.8 for key in keys]}
    after = [*written.to_mask(threshold=0.5)[:2], CUT | cut]

    said = _parameters(tmp_path, SEGMENTATION | {"postprocessing": after}, channels=1)

    assert said["threshold"] == "0.3"


def test_channels_may_be_named_by_a_list(tmp_path: Path) -> None:
    said = written.metadata()
    said["network_data_format"]["outputs"]["pred"]["channel_def"] = ["background", "lesion"]

    assert _parameters(tmp_path, SEGMENTATION, said)["labels"] == "0 background,1 lesion"


@pytest.mark.parametrize("channels", ["lesion", {"first": "lesion"}, 2])
def test_a_channel_def_of_another_form_is_refused(tmp_path: Path, channels: Any) -> None:
    said = written.metadata()
    said["network_data_format"]["outputs"]["pred"]["channel_def"] = channels

    with pytest.raises(Refused, match="bad-channel-def"):
        _parameters(tmp_path, SEGMENTATION, said)


def test_one_channel_under_two_names_is_refused_where_its_meaning_is_open(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="class-not-plain"):
        _classifier(tmp_path, "COVID-19", "non-COVID-19", after=[SIGMOID])


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
NEAREST = {"keys": ["image", "label"], "mode": ["nearest", "bilinear"]}
NO_BLUR = {"mode": "gaussian", "sigma_scale": 0}
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
        (_before(orientation("RAX"), spacing(1, 1, 1), RANGE), "bad-parameters", "orientation"),
        (_before(orientation(), spacing(1, 1, 1) | NEAREST, RANGE), "not-expressible", "nearest"),
        (SEGMENTATION | {"inferer": SLIDING | NO_BLUR}, "bad-parameters", "blend_sigma"),
        (SEGMENTATION | {"inferer": SLIDING | {"roi_size": [64.5, 64, 32]}}, "not-exp", "64.5"),
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
