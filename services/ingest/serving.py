"""Drives ingest until it is told to stop: decides, publishes, recognises, answers /health."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from functools import partial

from aiokafka.errors import KafkaError
from starlette.applications import Starlette
from starlette.routing import Route

from services.ingest.assembly import Ingest, assemble, listen
from services.ingest.publishing import Outbox
from services.ingest.settings import IngestSettings
from services.ingest.stow import stow_routes
from shared.bus.kafka import KafkaPublisher, group_consumer, read_facts
from shared.bus.received import Received
from shared.catalog import Catalog, Service, Topics
from shared.clock import system_clock
from shared.errors import Unavailable
from shared.health import health_route, serve_app
from shared.run import patiently_connected
from shared.store.open import open_store
from shared.store.port import PayloadStore
from shared.telemetry.logs import logger

_TICK_S = 0.1
_RETRY_S = 1.0

Troubles = dict[str, str]
"""What is down, and why: shown by /health."""


async def run(catalog: Catalog, topics: Topics, settings: IngestSettings) -> None:
    """Serve until cancelled. DICOM is answered from the start; Kafka may come later."""
    service, store = catalog["ingest"], open_store(settings.store)
    ingest = await asyncio.to_thread(
        assemble, settings, catalog, topics, store, system_clock, time.monotonic
    )
    scp = listen(settings, ingest)
    logger().info("listening", port=scp.port)
    troubles: Troubles = {"kafka": "connecting"}
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_http(service, settings, ingest, troubles))
            group.create_task(_decide(ingest, troubles))
            group.create_task(_bus(ingest, service, topics, settings, store, troubles))
    finally:
        await asyncio.to_thread(scp.close)  # files stay open: a thread may still be writing


async def _http(
    service: Service, settings: IngestSettings, ingest: Ingest, troubles: Troubles
) -> None:

    def why_not() -> list[str]:
        full = [] if ingest.receiver.has_room() else ["disk: below the reserve"]
        return full + [f"{what}: {why}" for what, why in troubles.items()]

    health = health_route(service.service, why_not)
    app = Starlette(routes=[health, *routes_of_stow(settings, ingest)])
    await serve_app(app, settings.health_host, settings.health_port)


def routes_of_stow(settings: IngestSettings, ingest: Ingest) -> list[Route]:
    """STOW-RS where it is asked for, and never beside a list of callers: a request names none."""
    wanted = settings.stow and not settings.callers
    return stow_routes(ingest.receiver, settings.aes) if wanted else []


async def _decide(ingest: Ingest, troubles: Troubles) -> None:
    while True:
        result = await asyncio.to_thread(ingest.decider.decide_due)
        if result.failed:
            _note(troubles, "decisions", result.failed)
        elif result.cases:
            troubles.pop("decisions", None)
        await asyncio.sleep(_TICK_S)


async def _bus(
    ingest: Ingest,
    service: Service,
    topics: Topics,
    settings: IngestSettings,
    store: PayloadStore,
    troubles: Troubles,
) -> None:
    publisher, producer = await patiently_connected(settings.kafka)
    troubles.pop("kafka")
    outbox = Outbox(
        publisher.publish, ingest.journal, ingest.index, store, topics.partitions, system_clock
    )
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(publisher.watch(partial(_tell, troubles)))
            group.create_task(_publish(outbox, troubles))
            group.create_task(_recognise(ingest, publisher, service, topics, settings))
    finally:
        await producer.stop()


def _tell(troubles: Troubles, answers: bool) -> None:
    if answers:
        troubles.pop("kafka", None)
    else:
        troubles["kafka"] = "does not answer"


def _note(troubles: Troubles, what: str, why: str) -> None:
    """Told once, not at every try."""
    if troubles.get(what) != why:
        logger().warning(f"{what} wait", why=why)
    troubles[what] = why


async def _publish(outbox: Outbox, troubles: Troubles) -> None:
    while True:
        try:
            await outbox.flush()
        except Unavailable as outage:
            _note(troubles, "announcements", f"{outage.what} does not answer")
            await asyncio.sleep(_RETRY_S)
        except (OSError, sqlite3.OperationalError) as error:  # published, and no room to note it
            _note(troubles, "announcements", f"not kept in the journal: {type(error).__name__}")
            await asyncio.sleep(_RETRY_S)
        else:
            troubles.pop("announcements", None)
            await asyncio.sleep(_TICK_S)


async def _recognise(
    ingest: Ingest,
    publisher: KafkaPublisher,
    service: Service,
    topics: Topics,
    settings: IngestSettings,
) -> None:
    """Read what is made of what ingest gave, for as long as the process lives."""

    async def remember(batch: Sequence[Received]) -> None:
        await asyncio.to_thread(ingest.recognise, batch)

    while True:
        consumer = group_consumer(settings.kafka, service.service, settings.instance)
        try:
            await consumer.start()
            await read_facts(consumer, publisher, topics, service.consumes, remember)
        except KafkaError as error:
            logger().warning("facts not read", exception_type=type(error).__name__)
            await asyncio.sleep(_RETRY_S)
        finally:
            await consumer.stop()
