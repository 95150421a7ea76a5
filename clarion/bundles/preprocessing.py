"""What a bundle does to an image before its network sees it, in the pipeline's terms.

The pipeline's own order is: orient, clip, resample (or crop, mask, clip, resize), scale. A bundle
that keeps to it, or whose order gives the same, can be expressed; any other is refused.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from clarion.bundles import casts
from clarion.bundles.component import Component, Triple
from clarion.bundles.intensity import Intensity
from deploy.modelrepo.refused import Refused

_NOTHING_CHANGES = {
    *("LoadImaged", "EnsureChannelFirstd", "AddChanneld", "AsChannelFirstd", "EnsureTyped"),
    *("ToTensord", "ToDeviced", "CastToTyped", "Identityd", "SelectItemsd", "DeleteItemsd"),
    *("FromMetaTensord", "ToMetaTensord"),
}
_CALLED = {"lung", "lungs", "mask", "masks", "seg", "segmentation", "label", "roi"}
"""Words of a key that calls the lungs' mask."""
_FOR_EACH_KEY = {"mode", "padding_mode", "scale_extent", "align_corners", "dtype", "anti_aliasing"}
_SHORTEN = "leave it out if the network does without it, or resample and crop before the pipeline"


@dataclass(frozen=True)
class Preprocessing:
    """As far as it has been read. Spacing and sizes are (x, y, z), as in the bundle.

    `clip_first`: intensities were clipped before voxels were interpolated. `outside_hu` is what
    masking leaves outside the lungs, `lungs` the key of their mask.
    """

    image: str
    orientation: str | None = None
    spacing: Triple | None = None
    size: tuple[int, int, int] | None = None
    sampling: str = "linear"
    intensity: Intensity = field(default_factory=Intensity)
    clip_first: bool = False
    cropped: bool = False
    outside_hu: float | None = None
    lungs: str | None = None
    steps: tuple[str, ...] = ()

    @property
    def resampled(self) -> bool:
        return self.spacing is not None or self.size is not None

    @property
    def whole(self) -> bool:
        """Whether intensities are whole numbers, as a CT's are."""
        return not self.resampled and casts.is_whole(self.intensity)


def read(steps: Sequence[Component], image: str) -> Preprocessing:
    """All steps on the image. Raises `Refused`, naming the first that can't be expressed."""
    found = Preprocessing(image)
    for step in steps:
        keys = step.keys()
        step.read_for(image, keys, _FOR_EACH_KEY)
        if step.name in _NOTHING_CHANGES:
            if image in keys:
                casts.check(step, whole=found.whole)
            continue
        reader = step.reader(_READERS, _SHORTEN)
        if image not in keys:
            continue
        found = replace(reader(step, found), steps=(*found.steps, step.name))
        step.ignore("allow_missing_keys", "lazy", "meta_keys", "meta_key_postfix")
        step.finish()
    return found


def _orientation(step: Component, so_far: Preprocessing) -> Preprocessing:
    step.only("as_closest_canonical", (False,), False, "give axcodes instead")
    step.ignore("labels")
    codes = step.take("axcodes")
    if so_far.resampled:
        raise _out_of_order(step, "put it before the resampling")
    if not isinstance(codes, str):
        raise step.refused("bad-argument", f"axcodes is {codes!r}", 'give letters, as in "RAS"')
    return replace(so_far, orientation=codes)


def _spacing(step: Component, so_far: Preprocessing) -> Preprocessing:
    spacing = step.triple("pixdim")
    if min(spacing) <= 0:
        raise step.refused("not-expressible", f"pixdim is {spacing}", "give a spacing to each axis")
    step.only("diagonal", (False,), False, "put Orientationd before it and set diagonal to false")
    step.only("mode", ("bilinear",), "bilinear", 'only "bilinear" is interpolated alike')
    step.only("padding_mode", ("border",), "border", 'set it to "border"')
    step.only("scale_extent", (False,), False, "set it to false")
    step.only("recompute_affine", (False,), False, "set it to false")
    for name in ("min_pixdim", "max_pixdim"):
        step.only(name, (None,), None, "leave it out: every scan goes to one spacing")
    # Neither changes where voxels lie, only what lies past the border, which "border" settles.
    step.ignore("align_corners", "dtype", "ensure_same_shape")
    if so_far.resampled or so_far.cropped:
        raise _out_of_order(step, "resample once, and before any cropping")
    return replace(so_far, spacing=spacing, clip_first=so_far.intensity.clips)


def _resize(step: Component, so_far: Preprocessing) -> Preprocessing:
    size = step.triple("spatial_size")
    if min(size) <= 0 or any(each % 1 for each in size):
        raise step.refused("bad-argument", f"spatial_size is {size}", "give three whole numbers")
    step.only("size_mode", ("all",), "all", 'set it to "all"')
    step.only("anti_aliasing", (False, None), False, 'set it to false, or use mode "area"')
    step.only("align_corners", (False, None), None, "set it to false")
    step.ignore("anti_aliasing_sigma")
    casts.check(step, whole=False)
    mode = step.take("mode", "area")
    sampling = {"trilinear": "linear", "area": "area"}.get(str(mode))
    if sampling is None:
        raise step.refused("not-expressible", f"mode is {mode!r}", "use trilinear or area")
    if so_far.resampled:
        raise _out_of_order(step, "resample once")
    x, y, z = (int(each) for each in size)
    first = so_far.intensity.clips
    return replace(so_far, size=(x, y, z), sampling=sampling, clip_first=first)


def _scale_range(step: Component, so_far: Preprocessing) -> Preprocessing:
    low, high = step.number("a_min"), step.number("a_max")
    first, last = step.number("b_min"), step.number("b_max")
    clip = step.flag("clip", False)
    casts.check(step, whole=False)
    if low == high:
        raise step.refused("bad-argument", "a_min and a_max are the same", "give a range")
    slope = (last - first) / (high - low)
    made = _bent(step, so_far, lambda it: it.then_line(slope, first - low * slope))
    return _clipped(step, made, first, last) if clip else made


def _normalize(step: Component, so_far: Preprocessing) -> Preprocessing:
    remedy = "give subtrahend and divisor as numbers: the pipeline scales every scan alike"
    for name in ("subtrahend", "divisor"):
        value = step.take(name)
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        if not isinstance(value, (int, float)):
            raise step.refused("not-expressible", f"{name} is {value!r}", remedy)
        if name == "subtrahend":
            mean = float(value)
        else:
            deviation = float(value) or 1.0
    step.only("nonzero", (False,), False, "set it to false")
    step.ignore("channel_wise")
    casts.check(step, whole=False)
    return _bent(step, so_far, lambda it: it.then_line(1 / deviation, -mean / deviation))


def _threshold(step: Component, so_far: Preprocessing) -> Preprocessing:
    threshold, above = step.number("threshold"), step.flag("above", True)
    step.only("cval", (threshold,), 0.0, "only clipping, with cval at the threshold, is expressed")
    far = 1e9
    low, high = (threshold, far) if above else (-far, threshold)
    return _clipped(step, so_far, low, high)


def _crop(step: Component, so_far: Preprocessing) -> Preprocessing:
    source = step.take("source_key")
    if source == so_far.image:
        raise step.refused(
            "transform-not-expressible",
            "the image's own foreground is no region that the pipeline crops to",
            "leave it out: where it only spares time, the result is the same; or crop to the "
            "lungs' mask, by its key as source_key",
        )
    margin = step.take("margin", 0)
    if any(margin) if isinstance(margin, list) else margin:
        raise step.refused(
            "not-expressible",
            f"margin is {margin} voxels, of whatever size a scan has",
            "set it to 0 and write margin_mm into the converted config.pbtxt",
        )
    step.only("k_divisible", (1,), 1, "set it to 1")
    step.only("channel_indices", (None,), None, "leave it out")
    step.only("select_fn", (None,), None, "leave it out: all that is not 0 is lung")
    step.ignore("mode", "allow_smaller", "start_coord_key", "end_coord_key")
    if so_far.resampled or so_far.cropped:
        raise _out_of_order(step, "crop once, and before any resampling")
    return replace(so_far, cropped=True, lungs=_lungs(step, so_far, "source_key", source))


def _mask(step: Component, so_far: Preprocessing) -> Preprocessing:
    lungs = _lungs(step, so_far, "mask_key", step.take("mask_key"))
    for name in ("mask_data", "select_fn"):
        step.only(name, (None,), None, "name the lungs by mask_key alone")
    if so_far.resampled:
        raise _out_of_order(step, "mask before the resizing")
    if not so_far.intensity.reaches(0):
        raise step.refused(
            "not-expressible", "0 is no intensity of the image there", "mask before scaling"
        )
    return replace(so_far, outside_hu=so_far.intensity.hu(0), lungs=lungs)


def _lungs(step: Component, so_far: Preprocessing, argument: str, key: Any) -> str:
    """The key, if it calls a mask of the lungs, which is the one mask that the pipeline has."""
    words = set(re.split(r"[^a-z]+", str(key).lower())) - {""}
    if not words & {"lung", "lungs"} or words - _CALLED:
        raise step.refused(
            "not-the-lungs",
            f"{argument} is {key!r}, and the pipeline crops to the lungs and masks by them alone",
            'if it is the mask of the lungs, call it "lung" in the whole configuration',
        )
    if so_far.lungs not in (None, key):
        raise step.refused(
            "not-the-lungs",
            f"{argument} is {key!r}, and {so_far.lungs!r} is the lungs' mask of a step before",
            "crop and mask by the same",
        )
    return str(key)


def _bent(
    step: Component, so_far: Preprocessing, change: Callable[[Intensity], Intensity]
) -> Preprocessing:
    try:
        return replace(so_far, intensity=change(so_far.intensity))
    except ValueError as error:
        raise step.refused("not-expressible", str(error), "check the numbers") from error


def _clipped(step: Component, so_far: Preprocessing, low: float, high: float) -> Preprocessing:
    made = _bent(step, so_far, lambda it: it.then_clip(low, high))
    if so_far.clip_first and made.intensity != so_far.intensity:
        raise _out_of_order(step, "clip once, before or after the resampling")
    return made


def _out_of_order(step: Component, remedy: str) -> Refused:
    return step.refused("transform-order", "it comes where the pipeline can't have it", remedy)


_READERS: dict[str, Callable[[Component, Preprocessing], Preprocessing]] = {
    "Orientationd": _orientation,
    "Spacingd": _spacing,
    "Resized": _resize,
    "ScaleIntensityRanged": _scale_range,
    "NormalizeIntensityd": _normalize,
    "ThresholdIntensityd": _threshold,
    "CropForegroundd": _crop,
    "MaskIntensityd": _mask,
}
