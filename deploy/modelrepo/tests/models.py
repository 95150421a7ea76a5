"""Small Triton models, for tests that need no server."""

from pathlib import Path

from deploy.modelrepo.origin import Source
from deploy.modelrepo.repository import Candidate

_CONFIG = """\
name: "%s"
backend: "onnxruntime"
max_batch_size: 1
input [ { name: "x" data_type: TYPE_FP32 dims: [ 3 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 3 ] } ]
parameters { key: "kind" value: { string_value: "segmentation" } }
parameters { key: "threshold" value: { string_value: "%s" } }
"""
OURS = Source(source="the hospital", licence="CC-BY-4.0")


def put(folder: Path, weights: bytes, threshold: str = "0.5", version: str = "1") -> Path:
    """A Triton model in a folder, whose name is the model's."""
    (folder / version).mkdir(parents=True, exist_ok=True)
    (folder / "config.pbtxt").write_text(_CONFIG % (folder.name, threshold))
    (folder / "card.md").write_text(f"# {folder.name}")
    (folder / version / "model.onnx").write_bytes(weights)
    return folder


def candidate(folder: Path, weights: bytes, threshold: str = "0.5") -> Candidate:
    """A version that is not in a repository yet."""
    put(folder, weights, threshold)
    return Candidate(folder / "1", folder / "config.pbtxt", folder / "card.md", OURS)
