"""How one model is trained (YAML) and what it expects as input (its Triton configuration).

The two never repeat each other: spacing, intensities, labels and crop are read from
`models/<name>/config.pbtxt`, which is also what the pipeline reads.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "models"
NAMES = ("lung_seg", "lesion_seg", "covid_classifier")

Size = tuple[int, int, int]
_PARAMETER = re.compile(r'key:\s*"([^"]*)"\s*value:\s*{\s*string_value:\s*"([^"]*)"')


@dataclass(frozen=True)
class Phantoms:
    """Which phantoms are drawn: spacing (z, y, x) in mm, voxels (z, y, x), how many of each."""

    spacing: tuple[float, float, float]
    shape: Size
    train: int
    held_out: int


@dataclass(frozen=True)
class Plan:
    """One training run.

    `outside` weighs the false alarms outside the lung (lesions only). `finish` is the plan that
    goes on from the weights of this one; it differs in what its key in the file names.
    """

    name: str
    task: Literal["lung", "lesion", "classification"]
    channels: tuple[int, ...]
    phantoms: Phantoms
    patch: Size
    batch: int
    steps: int
    learning_rate: float
    seed: int
    outside: float = 0.0
    finish: "Plan | None" = None


def read_plan(name: str) -> Plan:
    """The plan of `training/configs/<name>.yaml`. Raises `TypeError` for an unknown key."""
    fields: dict[str, Any] = yaml.safe_load(
        (Path(__file__).parent / "configs" / f"{name}.yaml").read_text()
    )
    phantoms, finish = fields.pop("phantoms"), fields.pop("finish", None)
    plan = Plan(
        name=name,
        channels=tuple(fields.pop("channels")),
        patch=_size(fields.pop("patch")),
        phantoms=Phantoms(
            spacing=_spacing(phantoms.pop("spacing")),
            shape=_size(phantoms.pop("shape")),
            **phantoms,
        ),
        **fields,
    )
    if not finish:
        return plan
    patch = _size(finish.pop("patch"))
    return replace(plan, finish=replace(plan, patch=patch, **finish))


def read_parameters(name: str) -> dict[str, str]:
    """The `parameters { }` of a model's Triton configuration."""
    return dict(_PARAMETER.findall((MODELS / name / "config.pbtxt").read_text()))


def model_path(name: str) -> Path:
    """Where a model's weights are exported to."""
    return MODELS / name / "1" / "model.onnx"


def _spacing(values: list[float]) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    return z, y, x


def _size(values: list[int]) -> Size:
    z, y, x = values
    return z, y, x
