"""What a bundle makes of its network's output, in the pipeline's terms.

The pipeline makes probabilities, brings them to the scan's grid, cuts them, and may then keep the
largest part of each label.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from clarion.bundles.component import Component

_NOTHING_CHANGES = {
    *("EnsureTyped", "ToTensord", "ToDeviced", "ToNumpyd", "Identityd", "SqueezeDimd"),
    *("SaveImaged", "SaveClassificationd", "DeleteItemsd", "SelectItemsd", "FromMetaTensord"),
    *("CopyItemsd", "EnsureChannelFirstd"),
}
"""What they save, the pipeline saves in its own way: as DICOM."""
_PREDICTION = "pred"
"""MONAI's key of what its inferer gave."""
_FOR_EACH_KEY = {
    *("sigmoid", "softmax", "other", "nearest_interp", "post_func"),
    *("argmax", "threshold", "to_onehot", "rounding"),
}


@dataclass(frozen=True)
class Postprocessing:
    """As far as it has been read; `kept` are the labels whose largest part is kept."""

    activation: Literal["softmax", "sigmoid"] | None = None
    cut: Literal["argmax", "threshold"] | None = None
    threshold: float | None = None
    inverted: bool = False
    largest: bool = False
    kept: tuple[int, ...] | None = None
    together: bool = False


def read(steps: Sequence[Component]) -> Postprocessing:
    """Raises `Refused`, naming the first step that can't be expressed."""
    found = Postprocessing()
    for step in steps:
        if step.name in _NOTHING_CHANGES:
            continue
        reader = step.reader(_READERS, "leave it out if the mask is good without")
        keys = step.as_written("keys")
        step.read_for(_PREDICTION, keys if isinstance(keys, list) else [keys], _FOR_EACH_KEY)
        step.ignore("allow_missing_keys")
        found = reader(step, found)
        step.finish()
    return found


def _activations(step: Component, so_far: Postprocessing) -> Postprocessing:
    sigmoid, softmax = step.flag("sigmoid", False), step.flag("softmax", False)
    step.only("other", (None,), None, "only sigmoid and softmax are expressed")
    step.only("dim", (0,), 0, "leave it out")
    if sigmoid == softmax:
        raise step.refused("not-expressible", "it is neither sigmoid nor softmax", "choose one")
    if so_far != Postprocessing():
        raise step.refused("transform-order", "it is not the first step", "put it first")
    return replace(so_far, activation="sigmoid" if sigmoid else "softmax")


def _invert(step: Component, so_far: Postprocessing) -> Postprocessing:
    step.only(
        "nearest_interp",
        (False,),
        True,
        "set it to false: the pipeline interpolates probabilities, and cuts them afterwards",
    )
    step.ignore("transform", "orig_keys", "meta_keys", "orig_meta_keys", "meta_key_postfix")
    step.ignore("to_tensor", "device", "support_upsampling")
    step.only("post_func", (None,), None, "leave it out")
    if so_far.cut or not so_far.activation:
        raise step.refused(
            "transform-order",
            "it does not stand between Activationsd and AsDiscreted",
            "put it there: the pipeline brings probabilities to the scan's grid",
        )
    return replace(so_far, inverted=True)


def _as_discrete(step: Component, so_far: Postprocessing) -> Postprocessing:
    argmax = step.flag("argmax", False)
    threshold = step.take("threshold")
    for name in ("to_onehot", "rounding"):
        step.only(name, (None,), None, "leave it out: a mask holds each label's number")
    step.ignore("dim", "keepdim", "dtype")
    if argmax == (threshold is not None) or so_far.cut:
        raise step.refused("not-expressible", "it is neither argmax nor a threshold", "choose one")
    if argmax:
        return replace(so_far, cut="argmax")
    if not isinstance(threshold, (int, float)) or not 0 <= threshold <= 1:
        raise step.refused("bad-argument", f"threshold is {threshold!r}", "give a probability")
    return replace(so_far, cut="threshold", threshold=float(threshold))


def _largest(step: Component, so_far: Postprocessing) -> Postprocessing:
    labels = step.take("applied_labels")
    step.only("is_onehot", (False, None), None, "set it to false")
    step.only("connectivity", (3, None), None, "leave it out: parts are joined by corners too")
    step.only("num_components", (1,), 1, "one part is kept")
    independent = step.flag("independent", True)
    if not so_far.cut or so_far.largest:
        raise step.refused("transform-order", "it does not follow AsDiscreted", "put it there")
    kept = None if labels is None else labels if isinstance(labels, list) else [labels]
    return replace(
        so_far,
        largest=True,
        kept=None if kept is None else tuple(int(each) for each in kept),
        together=not independent,
    )


_READERS = {
    "Activationsd": _activations,
    "Invertd": _invert,
    "AsDiscreted": _as_discrete,
    "KeepLargestConnectedComponentd": _largest,
}
