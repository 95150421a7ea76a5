"""The parts together: facts from a bus in, events on it and objects in a PACS out."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from services.results import runtime
from services.results.ledger.record import KINDS
from services.results.settings import ResultsSettings
from services.results.tests.facts import job
from services.results.tests.pacs import Pacs, listening
from services.results.tests.test_delivery import RealObjects
from shared.bus.memory import MemoryBus
from shared.bus.received import Received
from shared.clock import system_clock
from shared.events.models import DicomDelivered, JobFinished
from shared.store.folder import FolderStore


class WatchedBus(MemoryBus):
    """Tells when as many events of a kind were published as somebody waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.published = asyncio.Condition()

    async def publish(self, *args, **kwargs) -> None:  # type: ignore[no-untyped-def]
        await super().publish(*args, **kwargs)
        async with self.published:
            self.published.notify_all()

    async def until(self, enough: Callable[[], bool]) -> None:
        async with self.published:
            await asyncio.wait_for(self.published.wait_for(enough), 20)


async def _never(received: Received, code: str) -> None:
    raise AssertionError(code)


async def test_a_job_s_facts_become_its_end_and_its_deliveries(tmp_path: Path) -> None:
    bus, store = WatchedBus(), FolderStore(tmp_path / "payloads")
    bell = runtime.Bell()
    with listening(Pacs()) as pacs:
        settings = ResultsSettings(
            ledger=f"sqlite:///{tmp_path}/ledger.db", destinations={"pacs": pacs.destination}
        )
        results = runtime.build(settings, store, system_clock)

        async def take(received: Received) -> None:
            await results.intake.on_batch([received], bell.ring, _never)

        bus.subscribe(KINDS, take)
        for fact in RealObjects(store).whole():
            await bus.publish(fact.event, fact.place.lane, fact.place.partition)
        tasks = [
            asyncio.create_task(runtime.take_turns(results, bell)),
            asyncio.create_task(runtime.publish(results, bus, bell)),
            asyncio.create_task(runtime.deliver(results, 2, bell)),
        ]
        await bus.settle()
        await bus.until(lambda: len(bus.events("dicom-delivered")) == 4)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert len(pacs.arrived) == 4
    (finished,) = [event.data for event in bus.events("job-finished")]
    assert isinstance(finished, JobFinished)
    assert (finished.job_id, finished.status) == (job(), "completed")
    delivered = [event.data for event in bus.events("dicom-delivered")]
    assert all(isinstance(each, DicomDelivered) and each.attempts == 1 for each in delivered)
    places = {(r.place.partition, r.place.lane) for r in bus.records}
    assert places == {(2, "routine")}
    assert results.why_not() == ()
