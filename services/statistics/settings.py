"""What statistics is told from outside."""

from pydantic import Field

from shared.settings import Settings


class StatisticsSettings(Settings):
    """The platform's settings, and where snapshots are asked for."""

    statistics_host: str = "127.0.0.1"
    statistics_port: int = Field(8082, description="GET /snapshot")
    snapshot_every_s: float = Field(5.0, gt=0, description="between two snapshots, at least")
    replication: int = Field(1, ge=1, description="of the topics that hold its own state")
    ends_after_s: float = Field(
        120.0, gt=0, description="without any progress while Kafka answers; then it ends itself"
    )
