"""The parts together: facts from a bus in, events on it and objects in a PACS out."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event

from services.results import runtime
from services.results.ledger import deliveries
from services.results.ledger.deliveries import Due
from services.results.ledger.record import KINDS
from services.results.pruning import Pruner
from services.results.settings import ResultsSettings
from services.results.tests.facts import Story, job
from services.results.tests.hospital import RealObjects
from services.results.tests.pacs import Pacs, listening
from services.results.turn import Turn
from services.results.views import PruneView
from shared.bus.memory import MemoryBus
from shared.bus.received import Received
from shared.clock import Clock, ManualClock, system_clock
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


def _replica(path: Path, name: str, clock: Clock) -> runtime.Results:
    settings = ResultsSettings(ledger=f"sqlite:///{path}/ledger.db", instance=name)
    return runtime.build(settings, FolderStore(path / "payloads"), clock)


def test_replicas_whose_own_clocks_differ_agree_on_whose_turn_it_is(tmp_path: Path) -> None:
    slow = _replica(tmp_path, "slow", ManualClock(system_clock() - timedelta(hours=1)))
    fast = _replica(tmp_path, "fast", ManualClock(system_clock() + timedelta(hours=1)))
    assert (slow.turn.take(), fast.turn.take()) == (True, False)


def test_a_replica_whose_clock_is_ahead_takes_no_delivery_from_another(tmp_path: Path) -> None:
    slow = _replica(tmp_path, "slow", ManualClock(system_clock() - timedelta(hours=1)))
    fast = _replica(tmp_path, "fast", ManualClock(system_clock() + timedelta(hours=1)))
    slow.intake.take(Story(slow.store).whole())
    due, claimed = Due("pacs", job()), []
    for courier in (slow.courier, fast.courier):
        with courier.ledger.transaction() as connection:
            claimed.append(deliveries.claim(connection, due, courier.clock(), courier.name))
    assert [len(taken) for taken in claimed] == [4, 0]


async def test_a_turn_that_is_slow_to_give_back_holds_up_nothing_else(tmp_path: Path) -> None:
    results, went_on, seen = _replica(tmp_path, "one", system_clock), Event(), []

    class SlowTurn(Turn):
        def give_back(self) -> None:
            seen.append(went_on.wait(5))

    slow = SlowTurn(results.ledger, "publishing", "one", results.clock)
    turns = asyncio.create_task(runtime.take_turns(replace(results, turn=slow), runtime.Bell()))
    await asyncio.sleep(0)
    turns.cancel()
    asyncio.get_running_loop().call_later(0.01, went_on.set)
    await asyncio.gather(turns, return_exceptions=True)
    assert seen == [True]


async def test_who_has_the_turn_prunes_what_is_older_than_the_setting(tmp_path: Path) -> None:
    results = _replica(tmp_path, "one", system_clock)
    loop, asked = asyncio.get_running_loop(), asyncio.Queue[timedelta]()

    class Told(Pruner):
        def prune(
            self, older_than: timedelta, *, after: str | None = None, dry_run: bool = False
        ) -> PruneView:
            loop.call_soon_threadsafe(asked.put_nowait, older_than)
            return super().prune(older_than, after=after, dry_run=dry_run)

    pruner = Told(results.ledger, results.store, results.clock, results.pruner.least)
    assert results.turn.take()
    pruning = asyncio.create_task(runtime.prune(replace(results, pruner=pruner), keep_days=30))
    assert await asyncio.wait_for(asked.get(), 20) == timedelta(days=30)
    pruning.cancel()
    await asyncio.gather(pruning, return_exceptions=True)


def test_pruning_goes_by_the_clock_of_all_replicas_and_by_what_the_topics_keep(
    tmp_path: Path,
) -> None:
    results = _replica(tmp_path, "one", system_clock)
    assert (results.pruner.clock, results.pruner.least) == (
        results.ledger.clock,
        timedelta(days=8),
    )


async def test_without_the_setting_nothing_is_ever_pruned(tmp_path: Path) -> None:
    results = _replica(tmp_path, "one", system_clock)
    assert results.turn.take()
    await asyncio.wait_for(runtime.prune(results, ResultsSettings().keep_days), 20)
