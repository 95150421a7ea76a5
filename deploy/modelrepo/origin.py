"""Where a version came from and what it was when it came."""

from datetime import datetime
from pathlib import Path

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict

FILE = "origin.yaml"
REFERENCE = "reference"
"""The source of the models that come with Clarion."""


class Source(BaseModel):
    """Who gave a version; `version` and `archive` (sha256) are a catalog's words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    licence: str | None = None
    version: str | None = None
    archive: str | None = None


class Origin(Source):
    """The source, and the digests by which a later change is seen."""

    weights: str
    configuration: str
    added_at: AwareDatetime

    @classmethod
    def of(cls, source: Source, weights: str, configuration: str, at: datetime) -> "Origin":
        return cls(**source.model_dump(), weights=weights, configuration=configuration, added_at=at)


def read(folder: Path) -> Origin:
    """The origin of the version in a folder."""
    return Origin.model_validate(yaml.safe_load((folder / FILE).read_text(encoding="utf-8")))


def write(folder: Path, origin: Origin) -> None:
    """Beside the weights."""
    text = yaml.safe_dump(origin.model_dump(mode="json", exclude_none=True), sort_keys=False)
    (folder / FILE).write_text(text, encoding="utf-8")
