"""Runs a stage service: settings, workers, the bus, health; the one main of them all."""

import asyncio
import importlib
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from shared.bus.control import Control
from shared.bus.engine import Engine
from shared.bus.intake import Intake
from shared.bus.kafka import KafkaPublisher, group_consumer, read_whole, start_publisher
from shared.bus.platform import Platform
from shared.bus.producing import Producer
from shared.bus.slots import Slots
from shared.bus.watch import Broker, Watch
from shared.bus.work import Ports
from shared.bus.worker import Recipe
from shared.bus.workers import WorkerPool
from shared.catalog import Resources, Service, Topics, load_service, load_topics, topic_name
from shared.clock import system_clock
from shared.errors import Unavailable
from shared.events.models import JobControl
from shared.events.wire import Undecodable, decode
from shared.health import serve_health
from shared.settings import Settings
from shared.store.open import open_store
from shared.telemetry import logs, tracing
from shared.telemetry.logs import logger

S = TypeVar("S", bound=Settings)
_DRAIN_S = 20.0
_LAST_WORDS_S = 1.0
"""For an outcome that is being written, and its events; what waits for a slot is let go."""
_RECORDS_PER_SLOT = 8


def serve(name: str, settings_class: type[S], build: Callable[[S], Ports]) -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = settings_class()
    logs.configure(name)
    provider = tracing.configure(name)
    try:
        service = run(load_service(name), load_topics(), settings, _importable(build))
        asyncio.run(until_stopped(service))
    finally:
        provider.shutdown()


def _importable(build: Callable[[S], Ports]) -> Callable[[S], Ports]:
    """`python -m services.x` calls its module `__main__`; worker processes know it by its name."""
    spec = sys.modules["__main__"].__spec__
    if build.__module__ != "__main__" or spec is None:
        return build
    found: Callable[[S], Ports] = getattr(importlib.import_module(spec.name), build.__name__)
    return found


def _preload(build: Callable[[S], Ports]) -> tuple[str, ...]:
    """The builder's module and the handler beside it, which the main process never imports."""
    module = getattr(build, "func", build).__module__
    return (module, f"{module.rpartition('.')[0]}.handler")


async def until_stopped(service: Coroutine[Any, Any, None]) -> None:
    """Run until SIGTERM or SIGINT, or until the service ends by itself."""
    task = asyncio.create_task(service)
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        logger().info("stopped")


async def run(service: Service, topics: Topics, settings: S, build: Callable[[S], Ports]) -> None:
    """Serve until cancelled; then let what is in work end."""
    resources = _resources(service.resources, settings)
    recipe = Recipe(service.service, settings, build, resources.memory_mb, _preload(build))
    pool = WorkerPool(recipe, resources.workers, resources.deadline_s)
    watch, broker, starting = Watch(system_clock), Broker(), ["starting"]
    why_not = lambda: (*starting, *watch.why_not(), *broker.why_not())  # noqa: E731
    health = (service.service, settings.health_host, settings.health_port, why_not, watch)
    async with asyncio.TaskGroup() as group:
        group.create_task(serve_health(*health))
        await pool.start()
        publisher, producer = await patiently_connected(settings.kafka, service.service)
        group.create_task(publisher.watch(broker.tell))
        control = Control()
        await _follow_control(group, settings.kafka, topics, control)
        slots, store = Slots(resources.workers), open_store(settings.store)
        platform = Platform(
            service, topics, store, pool, publisher, control, slots, watch, system_clock
        )
        consumer = group_consumer(settings.kafka, service.service, settings.instance)
        limit = resources.workers * _RECORDS_PER_SLOT
        intake = Intake(consumer, publisher, Engine(platform), watch, limit)
        await consumer.start()
        try:
            await _read(group, intake, platform, starting)
        finally:
            await slots.close(_DRAIN_S)
            await intake.drain(_LAST_WORDS_S)
            await consumer.stop()
            await producer.stop()
            pool.stop()


async def _read(
    group: asyncio.TaskGroup, intake: Intake, platform: Platform, starting: list[str]
) -> None:
    """Read until cancelled; it is ready when it was given its partitions."""
    reading = group.create_task(intake.run(platform.topics, platform.service.consumes))
    await intake.assigned.wait()
    starting.clear()
    logger().info("ready")
    await reading


def _resources(declared: Resources, settings: Settings) -> Resources:
    told = {name: getattr(settings, name) for name in ("workers", "deadline_s", "memory_mb")}
    return declared.model_copy(update={name: value for name, value in told.items() if value})


async def patiently_connected(bootstrap: str, service: str) -> tuple[KafkaPublisher, Producer]:
    """A service's publisher and its producer, as soon as the broker answers."""
    while True:
        try:
            return await start_publisher(bootstrap, service)
        except Unavailable:
            logger().warning("waiting for kafka", bootstrap=bootstrap)
            await asyncio.sleep(1)


async def _follow_control(
    group: asyncio.TaskGroup, bootstrap: str, topics: Topics, control: Control
) -> None:
    """Know every job's control before the first event, and stay up to date."""
    caught_up = asyncio.Event()

    def apply(record: "ConsumerRecord[bytes, bytes]") -> None:
        try:
            data = decode(record.headers, record.value or b"").data
        except Undecodable as error:
            logger().warning("control not understood", code=error.code)
            return
        if isinstance(data, JobControl):
            control.apply(data)

    async def follow() -> None:
        topic = topic_name("job-control", None)
        while True:
            try:
                await read_whole(bootstrap, topic, topics.partitions, apply, caught_up)
            except KafkaError as error:
                logger().warning("control lost", error=type(error).__name__)
                await asyncio.sleep(1)

    group.create_task(follow())
    await caught_up.wait()
