"""Starts results: the ledger, its API, and the deliveries."""

import asyncio
from collections.abc import Sequence

from services.results.api import create_app
from services.results.ledger.record import KINDS
from services.results.runtime import (
    Bell,
    build,
    deliver,
    keep_deadlines,
    prune,
    publish,
    restart,
    take_turns,
    watch,
)
from services.results.settings import ResultsSettings
from shared.bus.kafka import group_consumer, read_facts
from shared.bus.received import Received
from shared.bus.watch import Broker
from shared.catalog import load_topics
from shared.clock import system_clock
from shared.health import serve_app, serve_health
from shared.run import patiently_connected, until_stopped
from shared.store.open import open_store
from shared.telemetry import logs, tracing
from shared.telemetry.logs import logger

_REST_S = 0.02
"""Between two fetches: the events of so long are one transaction."""


async def run(settings: ResultsSettings) -> None:
    """Serve until cancelled."""
    watching_since = system_clock()
    results = await asyncio.to_thread(build, settings, open_store(settings.store), system_clock)
    bell = Bell()
    starting = ["kafka does not answer"]
    down: list[str] = []
    broker = Broker()
    why_not = lambda: (*starting, *down, *broker.why_not())  # noqa: E731
    app = create_app(results.archive, results.desk, results.pruner, why_not, bell.ring)
    health = ("results", settings.health_host, settings.health_port)

    async with asyncio.TaskGroup() as group:
        group.create_task(serve_app(app, settings.api_host, settings.api_port))
        group.create_task(serve_health(*health, why_not))
        group.create_task(watch(results, down))
        group.create_task(deliver(results, settings.delivery_associations, bell))
        publisher, producer = await patiently_connected(settings.kafka, "results")
        group.create_task(publisher.watch(broker.tell))

        async def on_batch(batch: Sequence[Received]) -> None:
            await results.intake.on_batch(batch, bell.ring, publisher.set_aside)

        consumer = group_consumer(settings.kafka, "results", settings.instance, rest_s=_REST_S)
        await consumer.start()
        try:
            group.create_task(take_turns(results, bell))
            group.create_task(publish(results, publisher, bell))
            group.create_task(keep_deadlines(results, watching_since, bell))
            group.create_task(restart(results, publisher, watching_since))
            group.create_task(prune(results, settings.keep_days))
            starting.clear()
            logger().info("ready", port=settings.api_port)
            await read_facts(consumer, publisher, load_topics(), KINDS, on_batch)
        finally:
            await consumer.stop()
            await producer.stop()
            results.ledger.close()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    logs.configure("results")
    provider = tracing.configure("results")
    try:
        asyncio.run(until_stopped(run(ResultsSettings())))
    finally:
        provider.shutdown()


if __name__ == "__main__":
    main()
