"""Starts statistics: its changelogs, the Faust application, the snapshots and their API."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import NoReturn

import faust
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from services.statistics import changelogs, rounds
from services.statistics.api import create_app
from services.statistics.app import build
from services.statistics.backlog import LagReader
from services.statistics.others import Take, follow
from services.statistics.settings import StatisticsSettings
from services.statistics.tending import tend
from services.statistics.watchdog import Verdict, Watchdog, is_ready, recover_again, recovered
from services.statistics.watching import Watching
from services.statistics.windows import TOLD, Kept
from shared.bus.producing import Producer
from shared.bus.watch import Broker
from shared.catalog import Service, Topics, load_catalog, load_service, load_topics
from shared.clock import system_clock
from shared.health import WhyNot, serve_app, serve_health
from shared.run import patiently_connected, until_stopped
from shared.telemetry import logs, tracing
from shared.telemetry.logs import logger

_STANDS_AFTER_S = 20.0
_STOP_S = 10.0


async def run(settings: StatisticsSettings, service: Service, topics: Topics) -> None:
    """Serve until cancelled; ends the process when Faust has crashed, or stands."""
    kept = Kept()
    watching = Watching(kept)
    broker = Broker()
    names = tuple(name for kind in service.consumes for name in topics.names(kind))
    app, keeper, gathering = build(settings, names, topics.partitions, system_clock)
    starting = ["starting"]
    why_not = lambda: (*broker.why_not(), *(starting or _why_not_ready(app)))  # noqa: E731
    async with asyncio.TaskGroup() as group:
        _answer(group, settings, watching, why_not)
        publisher, producer = await patiently_connected(settings.kafka, "statistics")
        group.create_task(publisher.watch(broker.tell))
        await changelogs.create(settings.kafka, topics.partitions, settings.replication)
        watchdog = Watchdog(_STANDS_AFTER_S, settings.ends_after_s, time.monotonic())
        lags = _lag_reader(settings.kafka, topics)
        ending = group.create_task(_watch_over(app, watchdog, broker))
        try:
            await lags.start()
            await app.start()
            moved, told = watchdog.moved, lambda: kept.positions.get(TOLD, 0)
            group.create_task(tend(app, keeper, names, settings.kafka, moved, told))
            for kind, anew in _alerting(watching).items():
                group.create_task(follow(settings.kafka, kind, topics.partitions, anew))
            group.create_task(gathering.run())
            await _caught_up(group, settings.kafka, topics.partitions, kept)
            starting.clear()
            logger().info("ready", port=settings.statistics_port)
            every_s = settings.snapshot_every_s
            group.create_task(rounds.measure(watching, lags, system_clock, every_s))
            group.create_task(rounds.look(watching, system_clock, every_s))
            await rounds.tell(watching, publisher, keeper, partial(_is_first, app), every_s)
        finally:
            ending.cancel()
            await _stop(app, lags, producer)


def _alerting(watching: Watching) -> Mapping[str, Callable[[], Take]]:
    """The topics beside Faust's whose records are alerts, or make some; and who takes them."""
    return {"alert": lambda: watching.others.take, "unreadable": watching.aside.anew}


def _answer(
    group: asyncio.TaskGroup, settings: StatisticsSettings, watching: Watching, why_not: WhyNot
) -> None:
    api = create_app(lambda: watching.snapshot, why_not)
    group.create_task(serve_app(api, settings.statistics_host, settings.statistics_port))
    health = ("statistics", settings.health_host, settings.health_port)
    group.create_task(serve_health(*health, why_not))


async def _stop(app: faust.App, lags: LagReader, producer: Producer) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_STOP_S):
            await app.stop()
    await lags.stop()
    await producer.stop()


async def _caught_up(group: asyncio.TaskGroup, bootstrap: str, partitions: int, kept: Kept) -> None:
    """Follow the changelogs, and return when all that they hold is known."""
    marks = {table: asyncio.Event() for table in changelogs.TABLES}
    for table, mark in marks.items():
        group.create_task(changelogs.follow(bootstrap, table, partitions, kept, mark))
    for mark in marks.values():
        await mark.wait()


def _is_first(app: faust.App) -> bool:
    """Whether the replica has partition 0, which one of them has."""
    return any(place.partition == 0 for place in app.consumer.assignment())


def _lag_reader(bootstrap: str, topics: Topics) -> LagReader:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    return LagReader(admin, AIOKafkaConsumer(bootstrap_servers=bootstrap), load_catalog(), topics)


def _why_not_ready(app: faust.App) -> tuple[str, ...]:
    return () if is_ready(app) else ("the group rebalances, or tables are being read back",)


async def _watch_over(app: faust.App, watchdog: Watchdog, broker: Broker) -> NoReturn:
    """Help a Faust that stands; end the process when that does not help, or when it has crashed."""
    while not app.should_stop:
        await asyncio.sleep(1)
        verdict = watchdog.look(recovered(app), not broker.why_not(), time.monotonic())
        if verdict is Verdict.STANDS:
            recover_again(app)
        if verdict is Verdict.LOST:
            _end("faust-stands", stood_s=round(watchdog.stood_s), ready=is_ready(app))
    _end("faust-stopped")


def _end(code: str, **told: float) -> NoReturn:
    """End at once: a Faust that stands may not stop either, and its threads outlive the loop."""
    logger().error("ends itself, to be started again", code=code, **told)
    os._exit(os.EX_SOFTWARE)


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
