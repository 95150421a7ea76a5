"""Starts statistics: its changelogs, the Faust application, the snapshots and their API."""

import asyncio
from contextlib import suppress

import faust
from aiokafka.errors import KafkaError

from services.statistics import changelogs
from services.statistics.api import create_app
from services.statistics.app import build
from services.statistics.backlog import LagReader, Reading
from services.statistics.settings import StatisticsSettings
from services.statistics.tending import tend
from services.statistics.watching import Watching
from services.statistics.windows import Kept
from shared.bus.kafka import KafkaPublisher
from shared.bus.watch import Broker
from shared.catalog import Service, Topics, load_catalog, load_service, load_topics
from shared.clock import system_clock
from shared.health import serve_app, serve_health
from shared.run import patiently_connected, until_stopped
from shared.telemetry import logs, tracing
from shared.telemetry.logs import logger


async def run(settings: StatisticsSettings, service: Service, topics: Topics) -> None:
    """Serve until cancelled, or until Faust has crashed: then whoever started it does so again."""
    kept = Kept()
    watching = Watching(kept)
    broker = Broker()
    starting = ["starting"]
    why_not = lambda: (*starting, *broker.why_not())  # noqa: E731
    api = create_app(lambda: watching.snapshot, why_not)
    async with asyncio.TaskGroup() as group:
        group.create_task(serve_app(api, settings.statistics_host, settings.statistics_port))
        health = ("statistics", settings.health_host, settings.health_port)
        group.create_task(serve_health(*health, why_not))
        publisher, producer = await patiently_connected(settings.kafka)
        group.create_task(publisher.watch(broker.tell))
        await changelogs.create(settings.kafka, topics.partitions, settings.replication)
        names = tuple(name for kind in service.consumes for name in topics.names(kind))
        app, keeper = build(settings, names, topics.partitions, system_clock)
        lags = LagReader(settings.kafka, load_catalog(), topics)
        try:
            await lags.start()
            await app.start()
            group.create_task(_until_crashed(app))
            group.create_task(tend(app, keeper, names, settings.kafka))
            await _caught_up(group, settings.kafka, topics.partitions, kept)
            starting.clear()
            logger().info("ready", port=settings.statistics_port)
            await _rounds(settings, watching, app, lags, publisher)
        finally:
            await app.stop()
            await lags.stop()
            await producer.stop()


async def _caught_up(group: asyncio.TaskGroup, bootstrap: str, partitions: int, kept: Kept) -> None:
    """Follow both changelogs, and return when all that they hold is known."""
    marks = {table: asyncio.Event() for table in changelogs.FOLLOWED}
    for table, mark in marks.items():
        group.create_task(changelogs.follow(bootstrap, table, partitions, kept, mark))
    for mark in marks.values():
        await mark.wait()


async def _rounds(
    settings: StatisticsSettings,
    watching: Watching,
    app: faust.App,
    lags: LagReader,
    publisher: KafkaPublisher,
) -> None:
    """A snapshot every few seconds; the replica that has partition 0 publishes it."""
    while True:
        events = watching.look(system_clock(), await _read(lags))
        if any(place.partition == 0 for place in app.consumer.assignment()):
            for event in events:
                await publisher.publish(event, None, 0)
        await asyncio.sleep(settings.snapshot_every_s)


async def _read(lags: LagReader) -> Reading | None:
    with suppress(KafkaError, OSError):
        return await lags.read()
    return None


async def _until_crashed(app: faust.App) -> None:
    """Faust stops by itself when it can't go on: then this process ends too."""
    await app.wait_until_stopped()
    raise RuntimeError("faust has stopped")


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    logs.configure("statistics")
    provider = tracing.configure("statistics")
    try:
        settings, service = StatisticsSettings(), load_service("statistics")
        asyncio.run(until_stopped(run(settings, service, load_topics())))
    finally:
        provider.shutdown()


if __name__ == "__main__":
    main()
