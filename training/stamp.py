"""Writes the sha256 of a model's weights into its `config.pbtxt`, from where results tell it.

    python -m training.stamp

after a file in `models/` was replaced. Export does it by itself.
"""

from pathlib import Path

from shared.inference.weights import weights_digest
from training.config import MODELS, read_parameters, write_parameter


def newest_version(model: Path) -> Path:
    """The folder of the version with the highest number."""
    return max((p for p in model.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))


def stamped_digest(model: Path) -> str | None:
    """What `config.pbtxt` says the digest is."""
    return read_parameters(str(model)).get("sha256")


def stamp(model: Path) -> None:
    """Make `config.pbtxt` tell the digest of the weights beside it."""
    write_parameter(model, "sha256", weights_digest(newest_version(model)))


def models() -> list[Path]:
    """The folder of every model."""
    return sorted(path.parent for path in MODELS.glob("*/config.pbtxt"))


if __name__ == "__main__":
    for each in models():
        stamp(each)
