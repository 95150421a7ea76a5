"""A bundle's files: a folder or a zip, and what its configuration holds."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.modelrepo.refused import Refused

_INFERENCE = ("inference.json", "inference.yaml", "inference.yml")


@dataclass(frozen=True)
class Bundle:
    """What is needed of a bundle; where it has both, `weights` are preferred to `torchscript`."""

    folder: Path
    metadata: Mapping[str, Any]
    inference: Mapping[str, Any]
    torchscript: Path | None
    weights: Path | None


def opened(path: Path, scratch: Path) -> Bundle:
    """Read the bundle; a zip is unpacked into `scratch`. Raises `Refused`."""
    folder = _root(_unpacked(path, scratch))
    configs = folder / "configs"
    inference = next((configs / each for each in _INFERENCE if (configs / each).is_file()), None)
    if inference is None:
        raise Refused("no-inference-configuration", f"configs/ has none of {', '.join(_INFERENCE)}")
    torchscript, weights = folder / "models" / "model.ts", folder / "models" / "model.pt"
    if not (torchscript.is_file() or weights.is_file()):
        raise Refused(
            "no-weights",
            "models/ has neither model.ts nor model.pt; large files of a bundle are often "
            "downloaded apart (large_files.yml): fetch them first",
        )
    return Bundle(
        folder,
        _mapping(configs / "metadata.json"),
        _mapping(inference),
        torchscript if torchscript.is_file() else None,
        weights if weights.is_file() else None,
    )


def _unpacked(path: Path, scratch: Path) -> Path:
    if path.is_dir():
        return path
    if path.suffix == ".ts" or not zipfile.is_zipfile(path):
        raise Refused(
            "no-bundle",
            f"{path.name} is no bundle: give the folder, or a zip of it, with "
            "configs/metadata.json, configs/inference.json and models/",
        )
    with zipfile.ZipFile(path) as archive:
        archive.extractall(scratch / path.stem)
    return scratch / path.stem


def _root(folder: Path) -> Path:
    """The folder that holds `configs`: itself, or the single one in it."""
    for each in (folder, *sorted(folder.iterdir())):
        if (each / "configs" / "metadata.json").is_file():
            return each
    raise Refused("no-metadata", f"{folder.name} has no configs/metadata.json")


def _mapping(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
        found = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise Refused("unreadable-configuration", f"{path.name}: {error}") from error
    if not isinstance(found, dict):
        raise Refused("unreadable-configuration", f"{path.name} holds no mapping")
    return found
