"""Drives ingest until it is told to stop: decides, publishes, recognises, answers /health."""

import asyncio
import errno
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from aiokafka.errors import KafkaError
from starlette.applications import Starlette
from starlette.routing import Route

from services.ingest.assembly import Ingest, assemble, listen
from services.ingest.heralding import herald
from services.ingest.journal import Replaced
from services.ingest.publishing import Outbox
from services.ingest.settings import IngestSettings
from services.ingest.stow import stow_routes
from shared.bus.kafka import KafkaPublisher, group_consumer, read_facts
from shared.bus.received import Received, publish_if_it_fits
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
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Troubles = dict[str, str]
"""What is down, and why: shown by /health."""
Keep = Callable[[Sequence[Received]], None]
OnBatch = Callable[[Sequence[Received]], Awaitable[None]]
Read = Callable[[OnBatch], Awaitable[None]]


async def run(catalog: Catalog, topics: Topics, settings: IngestSettings) -> None:
    """Serve until cancelled.

    /health is answered from the start, DICOM as soon as the journal is read and what comes can be
    kept; Kafka may come later.
    """
    service = catalog["ingest"]
    troubles: Troubles = {"ingest": "starting", "kafka": "connecting"}
    app = Starlette(routes=[health_route(service.service, partial(_why_not, troubles))])
    async with asyncio.TaskGroup() as group:
        group.create_task(serve_app(app, settings.health_host, settings.health_port))
        ingest, store = await started(catalog, topics, settings, troubles)
        app.router.routes.extend(routes_of_stow(settings, ingest))
        scp = listen(settings, ingest)
        logger().info("listening", port=scp.port)
        try:
            async with asyncio.TaskGroup() as work:
                work.create_task(_decide(ingest, troubles))
                work.create_task(herald(ingest.others_soon))
                work.create_task(_bus(ingest, service, topics, settings, store, troubles))
        finally:
            await asyncio.to_thread(scp.close)  # files stay open: a thread may still be writing


def _why_not(troubles: Troubles) -> list[str]:
    return [f"{what}: {why}" for what, why in troubles.items()]


async def started(
    catalog: Catalog, topics: Topics, settings: IngestSettings, troubles: Troubles
) -> tuple[Ingest, PayloadStore]:
    """Ingest and its store, as soon as the store answers and the disk has room for both."""
    while True:
        try:
            opened = await asyncio.to_thread(_opened, catalog, topics, settings)
        except Unavailable as outage:
            _note(troubles, "ingest", f"{outage.what} does not answer")
        except sqlite3.OperationalError as error:  # full or locked: a start more would be no other
            _note(troubles, "ingest", f"the journal's index: {error}")
        except OSError as error:
            if error.errno not in _FULL:
                raise
            _note(troubles, "ingest", f"the journal: {os.strerror(error.errno)}")
        else:
            troubles.pop("ingest", None)
            return opened
        await asyncio.sleep(_RETRY_S)


def _opened(
    catalog: Catalog, topics: Topics, settings: IngestSettings
) -> tuple[Ingest, PayloadStore]:
    store = open_store(settings.store)
    return assemble(settings, catalog, topics, store, system_clock, time.monotonic), store


def routes_of_stow(settings: IngestSettings, ingest: Ingest) -> list[Route]:
    """STOW-RS where it is asked for, and never beside a list of callers: a request names none."""
    wanted = settings.stow and not settings.callers
    return stow_routes(ingest.receiver, settings.aes) if wanted else []


async def _decide(ingest: Ingest, troubles: Troubles) -> None:
    while True:
        look_at_the_disk(ingest.receiver.leaves_reserve, troubles)
        result = await asyncio.to_thread(ingest.decider.decide_due)
        if result.failed:
            _note(troubles, "decisions", result.failed)
        elif result.cases:
            troubles.pop("decisions", None)
        await asyncio.sleep(_TICK_S)


def look_at_the_disk(leaves_reserve: Callable[[], bool], troubles: Troubles) -> None:
    """Say why nothing is taken. Raises `Replaced`, which ends ingest: only a start helps."""
    try:
        why = "" if leaves_reserve() else "below the reserve"
    except Replaced:
        raise
    except OSError as error:
        why = f"the journal: {error.strerror or type(error).__name__}"
    if why:
        _note(troubles, "disk", why)
    else:
        troubles.pop("disk", None)


async def _bus(
    ingest: Ingest,
    service: Service,
    topics: Topics,
    settings: IngestSettings,
    store: PayloadStore,
    troubles: Troubles,
) -> None:
    publisher, producer = await patiently_connected(settings.kafka, "ingest")
    troubles.pop("kafka")
    publish = partial(publish_if_it_fits, publisher)
    outbox = Outbox(publish, ingest.journal, ingest.index, store, topics.partitions, system_clock)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(publisher.watch(partial(_tell, troubles)))
            group.create_task(_publish(outbox, troubles))
            read = partial(_read, publisher, service, topics, settings)
            group.create_task(recognise(read, ingest.recognise, troubles))
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


async def recognise(read: Read, keep: Keep, troubles: Troubles) -> None:
    """Read what is made of what ingest gave, for as long as the process lives.

    What could not be kept, for want of room, is not committed, and is read again.
    """

    async def remember(batch: Sequence[Received]) -> None:
        await asyncio.to_thread(keep, batch)
        troubles.pop("recognising", None)

    while True:
        try:
            await read(remember)
        except KafkaError as error:
            logger().warning("facts not read", exception_type=type(error).__name__)
        except (OSError, sqlite3.OperationalError) as error:
            _note(troubles, "recognising", f"not kept in the journal: {type(error).__name__}")
        await asyncio.sleep(_RETRY_S)


async def _read(
    publisher: KafkaPublisher,
    service: Service,
    topics: Topics,
    settings: IngestSettings,
    on_batch: OnBatch,
) -> None:
    """Until something fails: what `read_facts` raises."""
    consumer = group_consumer(settings.kafka, service.service, settings.instance)
    try:
        await consumer.start()
        await read_facts(consumer, publisher, topics, service.consumes, on_batch)
    finally:
        await consumer.stop()
