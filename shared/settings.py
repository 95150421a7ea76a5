"""What every process of a service is told from outside: environment variables CLARION_…"""

import yaml
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The platform's settings; a service's own settings extend them."""

    model_config = SettingsConfigDict(env_prefix="CLARION_", extra="ignore", frozen=True)

    kafka: str = Field("127.0.0.1:9092", description="bootstrap servers")
    store: str = Field("file:.home/payloads", description="file:FOLDER or s3://BUCKET/PREFIX")
    health_port: int = Field(0, description="port of /health; 0 lets the system choose")
    health_host: str = "127.0.0.1"
    instance: str = Field("1", description="names this replica for static group membership")
    workers: int | None = Field(None, description="for stat and routine; default in service.yaml")
    deadline_s: float | None = Field(None, description="per unit of work; default likewise")
    memory_mb: int | None = Field(None, description="per worker process; default likewise")


class TritonSettings(Settings):
    """For services that ask the inference server."""

    triton: str = Field("127.0.0.1:8001", description="gRPC address of the inference server")
    triton_shared_memory: bool = Field(True, description="the server runs on this host")


def from_yaml(value: object) -> object:
    """What a string says. Raises ValueError in one line where it says nothing."""
    if not isinstance(value, str):
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f" at character {mark.index + 1}" if mark else ""
        raise ValueError(f"neither JSON nor YAML ({problem or 'unreadable'}{where})") from None
