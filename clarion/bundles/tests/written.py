"""Bundles written for tests: configurations as the model zoo's are, and their files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Steps = list[dict[str, Any]]

LOAD: Steps = [
    {"_target_": "LoadImaged", "keys": "image"},
    {"_target_": "EnsureChannelFirstd", "keys": "image"},
]


def orientation(codes: str = "RAS") -> dict[str, Any]:
    return {"_target_": "Orientationd", "keys": "image", "axcodes": codes}


def spacing(*pixdim: float) -> dict[str, Any]:
    return {"_target_": "Spacingd", "keys": "image", "pixdim": list(pixdim), "mode": "bilinear"}


def intensity(low: float, high: float, first: float = 0, last: float = 1) -> dict[str, Any]:
    bounds = {"a_min": low, "a_max": high, "b_min": first, "b_max": last, "clip": True}
    return {"_target_": "ScaleIntensityRanged", "keys": "image", **bounds}


def sliding(*size: int, **more: Any) -> dict[str, Any]:
    return {
        "_target_": "SlidingWindowInferer",
        "roi_size": list(size),
        "sw_batch_size": 1,
        "overlap": 0.25,
        **more,
    }


def to_mask(**cut: Any) -> Steps:
    """Probabilities, brought back to the scan's grid, cut."""
    activation = "softmax" if "argmax" in cut else "sigmoid"
    return [
        {"_target_": "Activationsd", "keys": "pred", activation: True},
        {
            "_target_": "Invertd",
            "keys": "pred",
            "transform": "@preprocessing",
            "orig_keys": "image",
            "nearest_interp": False,
            "to_tensor": True,
        },
        {"_target_": "AsDiscreted", "keys": "pred", **cut},
    ]


def inference(before: Steps, inferer: Mapping[str, Any], after: Steps) -> dict[str, Any]:
    return {
        "preprocessing": {"_target_": "Compose", "transforms": before},
        "inferer": dict(inferer),
        "postprocessing": {"_target_": "Compose", "transforms": after},
    }


SEGMENTATION = inference(
    [*LOAD, orientation(), spacing(0.8, 0.8, 5), intensity(-1500, 500)],
    sliding(64, 64, 32),
    to_mask(argmax=True),
)


def metadata(*channels: str, **more: Any) -> dict[str, Any]:
    image = {"type": "image", "modality": "CT", "num_channels": 1, "spatial_shape": [64, 64, 32]}
    return {
        "name": "Lesion segmentation",
        "version": "0.3.1",
        "data_source": "none: random weights",
        "network_data_format": {
            "inputs": {"image": image | more},
            "outputs": {"pred": {"channel_def": {str(i): n for i, n in enumerate(channels)}}},
        },
    }


def bundle(folder: Path, said: Mapping[str, Any], configured: Mapping[str, Any]) -> Path:
    """A bundle whose weights are still to be put into `models/`."""
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "configs" / "metadata.json").write_text(json.dumps(said))
    (folder / "configs" / "inference.json").write_text(json.dumps(configured))
    return folder
