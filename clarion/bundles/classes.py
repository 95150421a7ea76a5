"""The classes of a bundle's classifier, and which of them a report is about.

The pipeline's reports are about a model's last class. A bundle may have its classes in any order,
so the one that is looked for is put last.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from clarion.bundles.metadata import label
from clarion.bundles.postprocessing import Postprocessing
from deploy.modelrepo.refused import Refused

_NOTHING = {"normal", "healthy", "negative", "control", "controls", "background", "none"}
"""Words of a class that stands for the absence of what is looked for."""
_FINDINGS = {"finding", "findings", "disease", "abnormality", "abnormalities", "pathology"}
_NEGATED = re.compile(r"^(?:(?:no|not|without)\b|non)")


@dataclass(frozen=True)
class Classes:
    """`channels` are the network's, in the order that the model gives them; `names` go with it.

    One channel of sigmoid has two names, of which it is the second. `plain`: the names tell which
    is looked for.
    """

    channels: tuple[int, ...]
    names: tuple[str, ...]
    plain: bool
    threshold: float | None

    @property
    def subject(self) -> str:
        """The class that a report is about."""
        return self.names[-1]


def read(named: Mapping[int, str], after: Postprocessing, channels: int) -> Classes:
    """`named` is the bundle's channel_def. Raises `Refused`."""
    names = {value: label(name) for value, name in named.items()}
    if after.activation == "sigmoid":
        if channels != 1:
            raise Refused(
                "classes-not-exclusive",
                f"{channels} classes of sigmoid don't exclude each other; one channel is expressed",
            )
        return Classes((0,), _of_one_channel(names), True, after.threshold)
    if channels < 2:
        raise Refused("not-expressible", "softmax of a single channel is always 1; use sigmoid")
    all_named = [names.get(value) or f"class {value}" for value in range(channels)]
    looked_for = [value for value in range(channels) if not _is_absence(value, all_named)]
    subject = looked_for[-1] if looked_for else channels - 1
    order = (*(value for value in range(channels) if value != subject), subject)
    ordered = tuple(all_named[value] for value in order)
    halves = after.cut == "argmax" and channels == 2
    return Classes(order, ordered, len(looked_for) == 1, 0.5 if halves else after.threshold)


def _of_one_channel(names: Mapping[int, str]) -> tuple[str, str]:
    """The two classes, of which the channel is the second."""
    if 0 in names and 1 in names:
        both = [names[0], names[1]]
        if _is_absence(1, both) and not _is_absence(0, both):
            raise Refused(
                "class-not-plain",
                f"channel_def calls the one channel {both[0]!r} (0) and {both[1]!r} (1), so it is "
                "not plain whose probability it gives; name its class alone, as 0",
            )
        return names[0], names[1]
    yes = names.get(1) or names.get(0) or "class 1"
    return f"no {yes}", yes


def _is_absence(value: int, names: list[str]) -> bool:
    """Whether a class stands for the absence of another, or of all: "normal", "non-COVID-19"."""
    name = names[value].lower()
    bare = _words(_NEGATED.sub("", name))
    if not _NEGATED.match(name) or "none" in _words(name):
        return bool(_words(name) & _NOTHING)
    others = (_words(other) for place, other in enumerate(names) if place != value)
    return not bare & _NOTHING and (bare <= _FINDINGS or any(bare <= other for other in others))


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", name.lower()))
