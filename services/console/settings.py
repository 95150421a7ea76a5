"""What the console is told from outside."""

from pathlib import Path

from pydantic import Field

from shared.settings import Settings


class ConsoleSettings(Settings):
    """The platform's settings, and the console's own."""

    http_host: str = "127.0.0.1"
    http_port: int = 8080
    spans: Path = Field(Path(".home/spans.db"), description="SQLite file of all spans")
    spans_kept_days: float = Field(7, description="older spans are dropped")
