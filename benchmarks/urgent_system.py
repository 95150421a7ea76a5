"""An embedded system with a queue of bulk studies, for a benchmark of urgent ones."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self

import yaml

from clarion.load.identities import Run
from clarion.load.plan import Fault, Order
from clarion.load.studies import make
from clarion.storage import Target, store
from deploy.embedded.cache import cache_folder
from deploy.embedded.home import Home, create_home, default_ports
from deploy.embedded.install import install
from deploy.embedded.ports import free_ports
from deploy.embedded.system import bring_down, bring_up
from phantom.anatomy import Phantom, draw
from phantom.recipe import Recipe
from shared.bus.kafka import group_consumer, read_facts, start_publisher
from shared.bus.received import Received
from shared.catalog import load_catalog, load_topics
from shared.events.models import Common, JobFinished, Lane
from shared.identity import case_id

_RECIPE = Recipe(shape=(48, 128, 128), spacing=(6.0, 2.8, 2.8), lesions=4)
"""A whole chest in thick slices."""
_PIPELINE = "covid19-ct"
_CALLED = {Lane.STAT: "STAT", Lane.BULK: "NIGHT"}
_QUIET_S, _LONG_S = 1.0, 30.0
"""After a release; and without one, so that a sender that gets no time does not split its study."""
_START_S, _JOB_S = 300.0, 300.0


def _silent(*_: object) -> None:
    return None


@dataclass(frozen=True)
class Timed:
    """A job, and the seconds from the release of its association to its end, less quiet time."""

    trace_id: str
    seconds: float


@dataclass(frozen=True)
class _Ended:
    """How a job was heard to end; seconds since 1970."""

    lane: Lane
    at: float
    trace_id: str


@dataclass
class Hospital:
    """The system, what was heard on its bus, and studies to send to it."""

    home: Home
    folder: Path
    phantom: Phantom
    _begun: dict[str, Lane] = field(default_factory=dict)
    _ended: dict[str, _Ended] = field(default_factory=dict)
    _heard: asyncio.Condition = field(default_factory=asyncio.Condition)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def volume(self) -> str:
        """Voxels and millimetres of every study."""
        shape, spacing = _RECIPE.shape, _RECIPE.spacing
        return f"{'x'.join(map(str, shape))} at {'x'.join(map(str, spacing))} mm"

    async def timed(self, lane: Lane) -> Timed:
        """Send a new study, and wait for the end of its job."""
        study, released = await asyncio.to_thread(self.send, lane)
        async with self._heard:
            waiting = self._heard.wait_for(lambda: study in self._ended)
            await asyncio.wait_for(waiting, _JOB_S)
        ended = self._ended[study]
        return Timed(ended.trace_id, ended.at - released - _QUIET_S)

    def send(self, lane: Lane) -> tuple[str, float]:
        """Send a new study; its case, and when its association was released."""
        number = next(self._numbers)
        order = Order(number, 0.0, lane, Fault.NONE, 0)
        study = make(order, self.phantom, Run(1), self.folder / str(number))
        target = Target(_CALLED[lane], "127.0.0.1", self.home.ports["ingest.dicom"])
        for answer in store(target, study.instances, lane):
            if not answer.stored:
                raise RuntimeError(f"not stored: {answer.meaning}")
        for instance in study.instances:
            instance.path.unlink()
        return case_id(_PIPELINE, study.study_instance_uid, "study"), time.time()

    def queued(self, lane: Lane) -> int:
        """Jobs that ingest has announced and that have not ended."""
        return sum(
            began is lane and study not in self._ended for study, began in self._begun.items()
        )

    def ended(self, lane: Lane) -> int:
        return sum(ended.lane is lane for ended in self._ended.values())

    async def hear(self, batch: Sequence[Received]) -> None:
        """Remember which jobs began and ended. Raises when one did not complete."""
        for event in (received.event for received in batch):
            data = event.data
            if isinstance(data, JobFinished):
                if data.status != "completed":
                    raise RuntimeError(f"a job is {data.status}: {data.reasons}")
                trace = event.traceparent.split("-")[1]
                self._ended[data.case_id] = _Ended(data.lane, data.finished_at.timestamp(), trace)
            elif isinstance(data, Common):
                self._begun[data.case_id] = data.lane
        async with self._heard:
            self._heard.notify_all()


class Feeder:
    """Sends bulk studies as long as fewer than wanted are queued."""

    def __init__(self, system: Hospital, wanted: int) -> None:
        self._system, self._wanted = system, wanted
        self._margin = max(2, wanted // 10)
        self._stack = AsyncExitStack()
        self.full = asyncio.Event()
        self.least = wanted
        self.now = time.monotonic

    async def __aenter__(self) -> Self:
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        feeding = group.create_task(self._feed())
        self._stack.callback(feeding.cancel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _feed(self) -> None:
        """What is sent and not yet announced counts as queued, or else too many would be sent."""
        sent = self._system.ended(Lane.BULK)
        while True:
            queued = self._system.queued(Lane.BULK)
            if self.full.is_set():
                self.least = min(self.least, queued)
            elif queued >= self._wanted + self._margin:
                self.full.set()
                self.least = queued
            if sent - self._system.ended(Lane.BULK) < self._wanted + 2 * self._margin:
                await asyncio.to_thread(self._system.send, Lane.BULK)
                sent += 1
            else:
                await asyncio.sleep(0.1)


@asynccontextmanager
async def hospital(folder: Path) -> AsyncIterator[Hospital]:
    """A new home that is up, until the block ends."""
    catalog, runtime = load_catalog(), install(cache_folder(), _silent)
    home = _new_home(folder)
    system = Hospital(home, folder / "studies", draw(_RECIPE))
    try:
        await bring_up(home, runtime, catalog, _silent, _START_S)
        async with _listening(home.local("kafka"), system):
            yield system
    finally:
        await bring_down(home, _silent)


def _new_home(folder: Path) -> Home:
    catalog = load_catalog()
    names = default_ports(catalog)
    aes = {
        called: {"pipeline": _PIPELINE, "lane": str(lane), "quiet_s": _LONG_S}
        for lane, called in _CALLED.items()
    }
    settings = {
        "ports": dict(zip(names, free_ports(len(names)), strict=True)),
        "environment": {
            "CLARION_AES": yaml.safe_dump(aes, default_flow_style=True).strip(),
            "CLARION_RELEASE_S": str(_QUIET_S),
        },
    }
    folder.mkdir(parents=True)
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    return create_home(folder, catalog)


@asynccontextmanager
async def _listening(bootstrap: str, system: Hospital) -> AsyncIterator[None]:
    publisher, producer = await start_publisher(bootstrap, "benchmark")
    consumer = group_consumer(bootstrap, "benchmark", "1")
    await consumer.start()
    kinds = ("input-ready", "job-finished")
    try:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(
                read_facts(consumer, publisher, load_topics(), kinds, system.hear)
            )
            yield
            reading.cancel()
    finally:
        await consumer.stop()
        await producer.stop()
