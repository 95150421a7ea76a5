"""What a bundle says of itself in `metadata.json`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.modelrepo.refused import Refused

_MULTIPLE = re.compile(r"^\s*(\d+)\s*\*\s*n\s*$")


@dataclass(frozen=True)
class Metadata:
    """`channels` names the output's channels; `multiple` is what each size has to be one of."""

    name: str
    version: str
    image: str
    channels: Mapping[int, str]
    multiple: int | None
    texts: Mapping[str, str]


def read(said: Mapping[str, Any], folder: Path) -> Metadata:
    """Raises `Refused` for a network that does not take one CT."""
    form = said.get("network_data_format") or {}
    inputs, outputs = form.get("inputs") or {}, form.get("outputs") or {}
    image = "image" if "image" in inputs or not inputs else next(iter(inputs))
    taken: Mapping[str, Any] = inputs.get(image) or {}
    _check(taken)
    output: Mapping[str, Any] = outputs.get("pred") or next(iter(outputs.values()), {})
    texts = ("description", "intended_use", "data_source", "eval_metrics", "copyright", "authors")
    return Metadata(
        plain(said.get("name") or folder.name),
        plain(said.get("version") or "unknown"),
        image,
        _channels(output.get("channel_def") or {}),
        _multiple(taken.get("spatial_shape") or []),
        {each: plain(said[each]) for each in texts if said.get(each)},
    )


def plain(value: Any) -> str:
    """One line that can stand in a configuration's string, and, without a comma, in its labels."""
    return " ".join(str(value).replace('"', "'").replace("\\", "/").split())


def label(name: str) -> str:
    """A name as it can stand in a model's labels, which commas separate."""
    return name.replace(",", " ").strip()


def _channels(said: Any) -> dict[int, str]:
    """`channel_def`, which may also be a plain list. Raises `Refused`."""
    try:
        pairs = enumerate(said) if isinstance(said, list) else said.items()
        return {int(channel): plain(name) for channel, name in pairs}
    except (AttributeError, ValueError):
        raise Refused(
            "bad-channel-def", f"channel_def is {said!r}; give each channel's number its name"
        ) from None


def _check(taken: Mapping[str, Any]) -> None:
    modality, channels = taken.get("modality"), taken.get("num_channels", 1)
    if modality is not None and str(modality).upper() not in {"CT", "N/A"}:
        raise Refused("not-a-ct-model", f"the network takes {modality}; the pipeline reads CT")
    if channels != 1:
        raise Refused("not-one-channel", f"the network takes {channels} channels; a CT has one")


def _multiple(shape: list[Any]) -> int | None:
    """What sizes must be multiples of, where the shape says so; None where it does not."""
    found = [1 if str(each).strip() == "*" else _MULTIPLE.match(str(each)) for each in shape]
    if not found or None in found:
        return None
    return max(each if isinstance(each, int) else int(each[1]) for each in found if each)
