"""Nothing lost, nothing twice: whatever fails between any two steps of the bus."""

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bus import attempts, outcomes
from shared.bus.tests import virtual_time
from shared.bus.tests.process import Process
from shared.bus.tests.world import DEFINITION, World, event_of, job_of
from shared.events.models import Lane

_REPLICAS = ("reader", "marker", "marker", "joiner")
_JOBS = (0, 1)
_MOST = {"kill": 4, "triton down": 1}
"""More would be a unit's own fault: five lost services, or a second outage in its own call."""

_FAULTS = st.sampled_from(
    ["kill", "kill", "store down", "triton down", "hand over", "repeat", "stat 0", "cancel 0",
     "supersede 1"]
)  # fmt: skip


async def _replica(world: World, name: str) -> None:
    while True:  # as the supervisor does
        process = Process(world, name)
        world.processes.append(process)
        await process.live()


def _expected(world: World, stage: str) -> str | None:
    """The status that a stage comes to; None behind one that failed."""
    if world.broken in DEFINITION.ancestors[stage]:
        return None
    return "failed" if stage == world.broken else "succeeded"


def _finished(world: World, job: str, run: int) -> bool:
    found = {stage: outcomes.read(world.store, job, run, stage) for stage in DEFINITION.stages}
    return world.stopped(job, run) or all(
        (outcome.status if outcome else None) == _expected(world, stage)
        and all(event.id in world.said for event in (outcome.events if outcome else ()))
        for stage, outcome in found.items()
    )


async def _run(world: World, run: int) -> None:
    for number in _JOBS:
        world.publish(event_of(world.store, number, run), Lane.ROUTINE, number)
    async with asyncio.timeout(3600):
        while not all(_finished(world, job_of(number), run) for number in _JOBS):
            await asyncio.sleep(1)


async def _story(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_replica(world, name)) for name in _REPLICAS]
        await _run(world, 1)
        await _run(world, 2)
        await asyncio.sleep(60)  # whoever is late says nothing new
        for task in tasks:
            task.cancel()
    _check_identical(world)
    _check_attempts(world)
    for number in _JOBS:
        if not any(world.stopped(job_of(number), run) for run in (1, 2)):
            _check_taken_over(world, job_of(number))


def _check_identical(world: World) -> None:
    """An event has the same bytes, whoever published it and how often, and the same topic as long
    as nobody gives a job another lane.
    """
    lanes = 1 + any(control.lane for control in world.controls.values())
    for said in world.said.values():
        assert len({value for _, value in said}) == 1
        assert len(said) <= lanes


def _check_attempts(world: World) -> None:
    """Three for what always fails; none is burnt for what is only befallen."""
    for number in _JOBS:
        for run in (1, 2):
            for stage in DEFINITION.stages:
                notes = attempts.earlier(world.store, job_of(number), run, stage)
                assert len(notes) <= (3 if stage == world.broken else 0)
                outcome = outcomes.read(world.store, job_of(number), run, stage)
                if outcome:
                    assert outcome.attempts == (3 if stage == world.broken else 1)


def _check_taken_over(world: World, job: str) -> None:
    for stage in DEFINITION.stages:
        again = outcomes.read(world.store, job, 2, stage)
        if again and again.status == "succeeded":
            assert (again.reused_from, world.starts[job, 2, stage]) == (1, 0)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), _FAULTS), max_size=10),
    st.sampled_from(["", "", "reader", "left"]),
)
def test_every_job_ends_as_if_nothing_had_happened(
    drawn: list[tuple[int, str]], broken: str
) -> None:
    seen: Counter[str] = Counter()
    faults = []
    for gap, fault in drawn:
        seen[fault] += 1
        if seen[fault] <= _MOST.get(fault, len(drawn)):
            faults.append((gap, fault))
    virtual_time.run(_story(World(iter(faults), broken)))
