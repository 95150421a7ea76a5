"""What results is told from outside."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode

from shared.settings import Settings, from_yaml


class Destination(BaseModel):
    """Where outputs go: an AE that answers C-STORE."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ae_title: Annotated[str, Field(min_length=1, max_length=16)]
    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    calling_ae: Annotated[str, Field(min_length=1, max_length=16)] = "CLARION"
    commitment: bool = Field(False, description="ask for storage commitment (PS3.4 J)")
    timeout_s: float = Field(30, description="for an answer; connecting takes at most a third")


_PACS = Destination(ae_title="PACS", host="127.0.0.1", port=11113)


class ResultsSettings(Settings):
    """Ledger, API and destinations."""

    ledger: str = Field("sqlite:///.home/ledger.db", description="SQLAlchemy URL")
    api_host: str = Field("127.0.0.1", description="where the jobs API listens")
    api_port: int = 8081
    destinations: Annotated[dict[str, Destination], NoDecode, BeforeValidator(from_yaml)] = Field(
        default={"pacs": _PACS}, description="name → AE, as JSON or YAML"
    )
    delivery_retry_first_s: float = Field(1, description="doubled after each attempt")
    delivery_retry_longest_s: float = 300
    patience_s: float = Field(
        60, gt=0, description="without news of a run, before its events are published again"
    )
    delivery_associations: int = Field(2, description="at once, for each destination")
    keep_days: float | None = Field(
        None, gt=0, description="prune jobs that ended so long ago; None: only when asked to"
    )
