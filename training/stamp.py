"""Writes the sha256 of a model's weights into its `config.pbtxt`, from where results tell it.

    python -m training.stamp

after a file in `models/` was replaced. Export does it by itself.
"""

import re
from pathlib import Path

from shared.inference.weights import weights_digest

MODELS = Path(__file__).resolve().parent.parent / "models"
_STAMP = re.compile(r'parameters \{ key: "sha256" value: \{ string_value: "([0-9a-f]*)" \} \}\n')


def newest_version(model: Path) -> Path:
    """The folder of the version with the highest number."""
    return max((p for p in model.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))


def stamped_digest(model: Path) -> str | None:
    """What `config.pbtxt` says the digest is."""
    found = _STAMP.search((model / "config.pbtxt").read_text())
    return found[1] if found else None


def stamp(model: Path) -> None:
    """Make `config.pbtxt` tell the digest of the weights beside it."""
    config = model / "config.pbtxt"
    digest = weights_digest(newest_version(model))
    line = f'parameters {{ key: "sha256" value: {{ string_value: "{digest}" }} }}\n'
    config.write_text(_STAMP.sub("", config.read_text()).rstrip("\n") + "\n" + line)


def models() -> list[Path]:
    """The folder of every model."""
    return sorted(path.parent for path in MODELS.glob("*/config.pbtxt"))


if __name__ == "__main__":
    for each in models():
        stamp(each)
