"""Starts the console: settings, the database of spans, the routes."""

import asyncio
import time

from services.console.app import app
from services.console.settings import ConsoleSettings
from services.console.spans import SpanDatabase
from shared.health import serve_app, serve_health
from shared.run import until_stopped
from shared.telemetry import logs

_DAY_NS = 86_400 * 10**9
_HOUR_S = 3600


async def _forget(database: SpanDatabase, kept_days: float) -> None:
    while True:
        before = time.time_ns() - int(kept_days * _DAY_NS)
        await asyncio.to_thread(database.drop_before, before)
        await asyncio.sleep(_HOUR_S)


async def _serve(settings: ConsoleSettings) -> None:
    database = SpanDatabase(settings.spans)
    async with asyncio.TaskGroup() as group:
        group.create_task(_forget(database, settings.spans_kept_days))
        group.create_task(serve_app(app(database), settings.http_host, settings.http_port))
        await serve_health("console", settings.health_host, settings.health_port, lambda: ())


if __name__ == "__main__":
    logs.configure("console")
    asyncio.run(until_stopped(_serve(ConsoleSettings())))
