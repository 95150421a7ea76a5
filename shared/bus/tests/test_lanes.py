"""A job that is given another lane goes by it at every stage, however long the queues are."""

import asyncio
from collections.abc import Callable

from shared.bus.tests import virtual_time
from shared.bus.tests.process import Process
from shared.bus.tests.rig import run_job, toy_rig
from shared.bus.tests.world import World, event_of, job_of
from shared.bus.work import Produced, Work
from shared.events.models import JobControl, Lane
from shared.store.memory import MemoryStore
from shared.store.port import PayloadStore
from shared.testing import toy

_QUEUED = 40


async def test_what_a_job_causes_goes_by_the_lane_that_was_told() -> None:
    rig = toy_rig(MemoryStore())
    job = toy.input_ready(rig.store).subject
    rig.control.apply(JobControl(job_id=job, lane=Lane.STAT))
    await run_job(rig)
    begun, *later = [received.place for received in rig.bus.records]
    assert begun.lane is Lane.ROUTINE
    assert {(place.lane, place.partition) for place in later} == {(Lane.STAT, begun.partition)}


async def test_what_was_done_before_is_said_again_by_the_lane_that_was_told_since() -> None:
    before = toy_rig(MemoryStore())
    await run_job(before)
    after = toy_rig(before.store)
    job = toy.input_ready(after.store).subject
    after.control.apply(JobControl(job_id=job, lane=Lane.STAT))
    await run_job(after)
    assert {r.event.id for r in after.bus.records} == {r.event.id for r in before.bus.records}
    assert {r.place.lane for r in after.bus.records[1:]} == {Lane.STAT}


def test_bulk_that_is_told_to_be_stat_while_it_waits_takes_an_idle_slot_at_once() -> None:
    begun: list[str] = []
    go_on: list[Callable[[], None]] = []

    def read(work: Work, *, store: PayloadStore) -> Produced:
        begun.append(work.job_id)
        virtual_time.halt(go_on.append)
        return toy.read(work, store=store)

    async def story() -> None:
        rig = toy_rig(MemoryStore(), reader=read)
        events = [
            toy.input_ready(rig.store, lane=Lane.BULK, manifest=text) for text in (b"a", b"b")
        ]
        for event in events:
            await rig.bus.publish(event, Lane.BULK, 0)
        working = asyncio.create_task(rig.together())
        await virtual_time.until_idle()
        (first,) = begun
        (waits,) = {event.subject for event in events} - {first}
        rig.control.apply(JobControl(job_id=waits, lane=Lane.STAT))
        await virtual_time.until_idle()
        assert begun == [first, waits]
        for let_go in go_on:
            let_go()
        await working

    virtual_time.run(story())


async def _last_goes_first(world: World) -> list[int]:
    """At which place of all the last job's work is begun at each stage."""
    for number in range(_QUEUED):
        world.publish(event_of(world.store, number), Lane.BULK, 0)
    world.control(f"stat {_QUEUED - 1}")
    world.publish(event_of(world.store, _QUEUED - 1), Lane.STAT, 0)
    async with asyncio.TaskGroup() as group:
        names = ("reader", "marker", "joiner")
        world.processes += [Process(world, name) for name in names]
        tasks = [group.create_task(process.live()) for process in world.processes]
        await asyncio.sleep(600)
        for task in tasks:
            task.cancel()
    last = job_of(_QUEUED - 1)
    stages = ("reader", "left", "right", "both")
    begun = {stage: [job for job, _, at in world.starts if at == stage] for stage in stages}
    assert all(len(jobs) == _QUEUED for jobs in begun.values())
    return [jobs.index(last) for jobs in begun.values()]


def test_a_job_overtakes_all_that_is_queued_and_its_copy_behind_them_does_nothing() -> None:
    world = World()
    places = virtual_time.run(_last_goes_first(world))
    assert max(places) < 4
    assert set(world.starts.values()) == {1}
