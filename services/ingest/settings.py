"""What ingest is told from outside."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_settings import NoDecode

from shared.catalog import ROOT
from shared.events.models import Lane
from shared.settings import Settings, from_yaml


class Route(BaseModel):
    """What an AE title of ours stands for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: str
    lane: Lane = Lane.ROUTINE
    quiet_s: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="quiet time in seconds; else that of the settings"
    )
    group: Literal["study", "series"] = "study"


class IngestSettings(Settings):
    """Ingest's own settings, beside the platform's."""

    dicom_host: str = "127.0.0.1"
    dicom_port: int = Field(11112, description="0 lets the system choose")
    aes: Annotated[dict[str, Route], NoDecode] = Field(
        default={"COVID19": Route(pipeline="covid19-ct")},
        description="called AE title → pipeline, lane, quiet_s, group; YAML or JSON",
    )
    callers: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="calling AE titles allowed, as a YAML or JSON list; none: all"
    )
    stow: bool = Field(False, description="STOW-RS on the health port, where it names no caller")
    own_ae: str = Field("CLARION", description="AE title that takes storage commitment reports")
    quiet_s: float = Field(5.0, gt=0, description="quiet time after which an input is complete")
    release_s: float = Field(2.0, gt=0, description="the same after a release, where that is safe")
    spool: Path | None = Field(None, description="the journal; default beside the payload store")
    reserve_mb: int = Field(1024, ge=0, description="free disk space below which A700 is answered")
    maximum_associations: int = Field(64, ge=1)
    pipelines: Path = Field(ROOT / "deploy" / "pipelines", description="folder of definitions")

    @field_validator("aes", "callers", mode="before")
    @classmethod
    def _from_yaml(cls, value: object) -> object:
        return from_yaml(value)

    def quiet_time(self, called_ae: str) -> float:
        """The quiet time of an AE title, in seconds."""
        route = self.aes.get(called_ae)
        return (route and route.quiet_s) or self.quiet_s

    def journal_folder(self) -> Path:
        """Beside the payload store, so that segments can be linked into it."""
        if self.spool:
            return self.spool
        if self.store.startswith("file:"):
            return Path(self.store.removeprefix("file:")).parent / "ingest"
        return Path(".home/ingest")
