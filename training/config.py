"""How one model is trained (YAML) and what it expects as input (its Triton configuration).

The two never repeat each other: spacing, intensities, labels and crop are read from
`models/<name>/config.pbtxt`, which is also what the pipeline reads.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from training import pbtxt

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "models"
CONFIGS = Path(__file__).parent / "configs"
NAMES = ("lung_seg", "lesion_seg", "covid_classifier")

Size = tuple[int, int, int]


@dataclass(frozen=True)
class Phantoms:
    """The phantoms of all models: spacing (z, y, x) in mm, voxels (z, y, x), how many."""

    spacing: tuple[float, float, float]
    shape: Size
    train: int


@dataclass(frozen=True)
class Plan:
    """One training run.

    `patch` is the largest input (z, y, x). The learning rate falls and rises again every `cycle`
    steps. From step `settle` on normalisation keeps its statistics, so that the rest is learnt
    with what inference uses.
    """

    name: str
    task: Literal["lung", "lesion", "classification"]
    channels: tuple[int, ...]
    patch: Size
    batch: int
    steps: int
    cycle: int
    learning_rate: float
    settle: int
    seed: int
    phantoms: Phantoms


def read_plan(name: str) -> Plan:
    """The plan of `configs/<name>.yaml`. Raises `TypeError` for an unknown key."""
    fields = _yaml(name)
    channels, patch = tuple(fields.pop("channels")), _size(fields.pop("patch"))
    return Plan(name=name, channels=channels, patch=patch, phantoms=read_phantoms(), **fields)


def read_phantoms() -> Phantoms:
    """The phantoms of `configs/phantoms.yaml`. Raises `TypeError` for an unknown key."""
    fields = _yaml("phantoms")
    spacing, shape = _spacing(fields.pop("spacing")), _size(fields.pop("shape"))
    return Phantoms(spacing=spacing, shape=shape, **fields)


def read_parameters(name: str) -> dict[str, str]:
    """The `parameters { }` of a model's Triton configuration."""
    return parameters_in(MODELS / name / "config.pbtxt")


def parameters_in(config: Path) -> dict[str, str]:
    """The `parameters { }` of a Triton configuration. Raises `BadModel` for one that is none."""
    return {
        pbtxt.text(each, "key"): "".join(
            pbtxt.text(value, "string_value") for value in pbtxt.messages(each, "value")
        )
        for each in pbtxt.messages(pbtxt.read(config), "parameters")
    }


def write_parameter(folder: Path, key: str, value: str) -> None:
    """Say it in a model folder's Triton configuration, where it is said already or at the end."""
    path = folder / "config.pbtxt"
    text = path.read_text()
    said = re.compile(rf'(key:\s*"{re.escape(key)}"\s*value:\s*{{\s*string_value:\s*")[^"]*')
    if said.search(text):
        path.write_text(said.sub(lambda found: found[1] + value, text))
        return
    line = f'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}\n'
    path.write_text(text.rstrip("\n") + "\n" + line)


def model_path(name: str) -> Path:
    """Where a model's weights are exported to."""
    return MODELS / name / "1" / "model.onnx"


def _yaml(name: str) -> dict[str, Any]:
    fields: dict[str, Any] = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    return fields


def _spacing(values: list[float]) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    return z, y, x


def _size(values: list[int]) -> Size:
    z, y, x = values
    return z, y, x
