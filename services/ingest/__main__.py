"""Starts ingest: settings, logs and traces, and the service until it is told to stop."""

import asyncio
import warnings

from services.ingest.serving import run
from services.ingest.settings import IngestSettings
from shared.catalog import load_catalog, load_topics
from shared.run import until_stopped
from shared.telemetry import logs, tracing


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = IngestSettings()
    logs.configure("ingest")
    warnings.simplefilter("ignore")  # pydicom's quote values, which may name a patient
    provider = tracing.configure("ingest")
    try:
        asyncio.run(until_stopped(run(load_catalog(), load_topics(), settings)))
    finally:
        provider.shutdown()


if __name__ == "__main__":
    main()
