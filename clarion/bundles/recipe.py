"""The parameters of a converted model, from what was read of the bundle and of its network."""

from dataclasses import dataclass

from clarion.bundles import classes
from clarion.bundles import inferer as inferers
from clarion.bundles.classes import Classes
from clarion.bundles.inferer import Inferer
from clarion.bundles.metadata import Metadata, label
from clarion.bundles.postprocessing import Postprocessing
from clarion.bundles.preprocessing import Preprocessing
from deploy.modelrepo.refused import Refused
from services.classifier.expected import ClassificationParameters
from shared.imaging.model_parameters import BadModel, SegmentationParameters, read_parameters

Size = tuple[int, int, int]


@dataclass(frozen=True)
class Recipe:
    """All that a bundle's configuration says, read."""

    metadata: Metadata
    before: Preprocessing
    inferer: Inferer
    after: Postprocessing

    @property
    def classifies(self) -> bool:
        return self.before.size is not None

    def classes(self, channels: int) -> Classes:
        """Of a classifier. Raises `Refused`."""
        return classes.read(self.metadata.channels, self.after, channels)


def checked(recipe: Recipe) -> Recipe:
    """The recipe, if all that the pipeline must know is there. Raises `Refused`."""
    before, after = recipe.before, recipe.after
    if before.orientation is None:
        raise Refused(
            "no-orientation",
            "preprocessing has no Orientationd, so how an image lies depends on its file; add one "
            "with the axcodes that the network was trained on",
        )
    if after.activation is None:
        raise Refused(
            "no-activation",
            "postprocessing has no Activationsd; add sigmoid or softmax, whichever was trained",
        )
    if recipe.classifies:
        _check_classifier(recipe)
    else:
        _check_segmentation(recipe)
    return recipe


def input_size(recipe: Recipe) -> Size:
    """The input (x, y, z) to try the network with."""
    size = recipe.before.size or recipe.inferer.window
    if size:
        return size
    side = (recipe.metadata.multiple or 1) * -(-32 // (recipe.metadata.multiple or 1))
    return side, side, side


def parameters(recipe: Recipe, channels: int) -> dict[str, str]:
    """The model's `parameters { }`, without its tensors' names and digest.

    Raises `Refused`, also for what the pipeline could not read as parameters again.
    """
    if recipe.classifies:
        made = _classification(recipe, recipe.classes(channels))
    else:
        made = _segmentation(recipe, channels)
    kind = ClassificationParameters if recipe.classifies else SegmentationParameters
    try:
        read_parameters(kind, recipe.metadata.name, made)
    except BadModel as error:
        raise Refused(
            "bad-parameters", f"the pipeline could not read them again: {error}"
        ) from error
    return made


def _common(recipe: Recipe, labels: dict[int, str], threshold: float | None) -> dict[str, str]:
    metadata, before, after = recipe.metadata, recipe.before, recipe.after
    intensity = before.intensity
    return {
        "kind": "classification" if recipe.classifies else "segmentation",
        "algorithm_name": metadata.name,
        "version": metadata.version,
        "training_data": metadata.texts.get("data_source", "not told by the bundle"),
        "orientation": before.orientation or "",
        "intensity_window": _numbers(intensity.low, intensity.high),
        "intensity_range": _numbers(*intensity.range),
        "clip_first": "yes" if before.clip_first else "no",
        "sampling": before.sampling,
        "pad_value": _numbers(_outside_hu(recipe)),
        "output": "logits",
        "activation": after.activation or "",
        "labels": ",".join(f"{value} {name}" for value, name in sorted(labels.items())),
        **({} if threshold is None else {"threshold": _numbers(threshold)}),
    }


def _segmentation(recipe: Recipe, channels: int) -> dict[str, str]:
    kept = recipe.after.kept
    several = channels > 2
    if recipe.after.largest and (recipe.after.together and several):
        raise Refused(
            "not-expressible",
            "KeepLargestConnectedComponentd keeps one part of all labels together; set "
            "independent to true",
        )
    if kept is not None and set(kept) != set(range(1, max(2, channels))):
        raise Refused(
            "not-expressible",
            f"KeepLargestConnectedComponentd is for the labels {list(kept)}; apply it to all",
        )
    made = _common(recipe, _labels(recipe, channels), recipe.after.threshold) | {
        "spacing_mm": _numbers(*(recipe.before.spacing or ())),
        "grid": "centres",
        "postprocess": "largest-component-of-mask" if recipe.after.largest else "",
    }
    if recipe.inferer.window is None:
        return made | {"pad_multiple": str(recipe.metadata.multiple)}
    return made | inferers.parameters(recipe.inferer)


def _classification(recipe: Recipe, found: Classes) -> dict[str, str]:
    return _common(recipe, dict(enumerate(found.names)), found.threshold) | {
        "crop": "lungs",
        "margin_mm": "0",
        "size": " ".join(str(each) for each in reversed(recipe.before.size or ())),
        "mask_outside": "no" if recipe.before.outside_hu is None else "yes",
    }


def _outside_hu(recipe: Recipe) -> float:
    if recipe.before.outside_hu is not None:
        return recipe.before.outside_hu
    outside, intensity = recipe.inferer.outside, recipe.before.intensity
    if recipe.inferer.window is None:
        return intensity.low if intensity.clips else -1000.0
    if not intensity.reaches(outside):
        first, last = intensity.range
        raise Refused(
            "not-expressible",
            f"SlidingWindowInferer pads with {outside:g}, which no intensity becomes "
            f"({first:g} to {last:g}); set cval to one that does",
        )
    return min(max(intensity.hu(outside), intensity.low), intensity.high)


def _labels(recipe: Recipe, channels: int) -> dict[int, str]:
    """Number → name of what the mask can hold; 0 is the background."""
    names = {value: label(name) for value, name in recipe.metadata.channels.items()}
    if recipe.after.activation == "sigmoid":
        if channels != 1 or recipe.after.cut == "argmax":
            raise Refused(
                "overlapping-labels",
                f"{channels} channels of sigmoid may overlap, and a mask holds one label a voxel; "
                "a sigmoid of one channel with a threshold is expressed, or softmax with argmax",
            )
        return {0: "background", 1: names.get(1) or names.get(0) or "label 1"}
    if channels < 2 or recipe.after.cut == "threshold":
        raise Refused(
            "not-expressible",
            f"softmax of {channels} channels with {recipe.after.cut}; use softmax with argmax",
        )
    named = {value: names.get(value) or f"label {value}" for value in range(1, channels)}
    return {0: "background"} | named


def _check_classifier(recipe: Recipe) -> None:
    if not recipe.before.cropped:
        raise Refused(
            "no-lung-crop",
            "the pipeline's classifier sees the box around the lungs; add CropForegroundd with "
            "the lungs' mask as source_key before Resized, if the network was trained so",
        )
    if recipe.inferer.window is not None:
        raise Refused("not-expressible", "a classifier sees its input whole; use SimpleInferer")
    if recipe.after.largest or recipe.after.inverted:
        raise Refused("not-expressible", "a classifier's postprocessing makes no mask")


def _check_segmentation(recipe: Recipe) -> None:
    before = recipe.before
    if before.spacing is None:
        raise Refused(
            "no-spacing",
            "preprocessing has no Spacingd: the pipeline brings every scan to one spacing; add "
            "the one that the network was trained on",
        )
    if before.cropped or before.outside_hu is not None:
        raise Refused(
            "not-expressible",
            "only classifiers are shown a crop or a masked image; leave CropForegroundd and "
            "MaskIntensityd out if the network does without",
        )
    if recipe.inferer.window is None and recipe.metadata.multiple is None:
        raise Refused(
            "no-window",
            "nothing says which sizes the network takes; use SlidingWindowInferer with roi_size, "
            'or tell in metadata.json\'s spatial_shape the multiple, as in "16*n"',
        )


def _numbers(*values: float) -> str:
    return " ".join(f"{round(value, 9) + 0.0:.10g}" for value in values)
