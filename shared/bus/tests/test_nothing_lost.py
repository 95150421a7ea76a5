"""Nothing lost, nothing twice: whatever fails between any two steps of the bus."""

import asyncio
from collections import Counter
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bus import attempts, outcomes
from shared.bus.tests import virtual_time
from shared.bus.tests.order import ByChance
from shared.bus.tests.process import Process
from shared.bus.tests.witness import ATTEMPTS
from shared.bus.tests.world import DEFINITION, JOBS, UnitKey, World, event_of, job_of, number_of
from shared.events.models import Lane, PayloadRef

_REPLICAS = ("reader", "reader", "marker", "marker", "joiner", "joiner")
_RUNS = (1, 2)
_MOST = {"kill": 2, "kill the twin": 2}
"""More could be a unit's own fault: five lost services."""

_FAULTS = st.sampled_from(
    ["kill", "kill", "kill the twin", "store down", "triton down", "hand over", "hand over",
     "repeat", "stat 0", "cancel 0", "supersede 1"]
)  # fmt: skip
_WHOLE = 1000
_POISONED = ("", "", "reader", "left", "both")
_PARTS = 4


async def _replica(world: World, name: str) -> None:
    while True:  # as the supervisor does
        process = Process(world, name)
        world.processes.append(process)
        await process.live()


def _expected(world: World, unit: UnitKey) -> str | None:
    """The status that a unit comes to; None behind one that failed."""
    job, _, stage = unit
    bad = {name for number, name in world.poisoned if number == number_of(job)}
    if bad & DEFINITION.ancestors[stage]:
        return None
    return "failed" if stage in bad else "succeeded"


def _finished(world: World, job: str, run: int) -> bool:
    found = {stage: outcomes.read(world.store, job, run, stage) for stage in DEFINITION.stages}
    return world.stopped(job, run) or all(
        (outcome.status if outcome else None) == _expected(world, (job, run, stage))
        and all(event.id in world.said for event in (outcome.events if outcome else ()))
        for stage, outcome in found.items()
    )


async def _run(world: World, run: int) -> None:
    for number in JOBS:
        world.publish(event_of(world.store, number, run), Lane.ROUTINE, number)
    async with asyncio.timeout(3600):
        while not all(_finished(world, job_of(number), run) for number in JOBS):
            await asyncio.sleep(1)


async def _story(world: World) -> None:
    """Two jobs, and their replay."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_replica(world, name)) for name in _REPLICAS]
        await asyncio.sleep(1)  # until the groups have settled
        for run in _RUNS:
            await _run(world, run)
        await asyncio.sleep(30)  # whoever is late says nothing new
        for task in tasks:
            task.cancel()


def _told(world: World) -> World:
    """Tell the story, and compare how it ended with how it would have without any fault."""
    virtual_time.run(_story(world))
    _check_identical(world)
    for number in JOBS:
        for run in _RUNS:
            _check_attempts(world, job_of(number), run)
            _check_result(world, number, run)
        if not any(world.stopped(job_of(number), run) for run in _RUNS):
            _check_taken_over(world, job_of(number))
    return world


def _check_identical(world: World) -> None:
    """An event has the same bytes, whoever published it and how often, and the same topic as long
    as nobody gives a job another lane.
    """
    lanes = 1 + any(control.lane for control in world.controls.values())
    for said in world.said.values():
        assert len({value for _, value in said}) == 1
        assert len(said) <= lanes


def _check_attempts(world: World, job: str, run: int) -> None:
    """Three for what always fails; none is burnt for what is only befallen.

    Replicas that race may be at the last one at the same time, each at its own.
    """
    for stage in DEFINITION.stages:
        unit = job, run, stage
        notes = len(attempts.earlier(world.store, *unit))
        outcome = outcomes.read(world.store, *unit)
        if _expected(world, unit) == "failed":
            failures = world.failures[unit]
            assert failures.total() - _deaths(world) <= notes
            assert notes < ATTEMPTS + max(1, len(failures))
            assert outcome is None or ATTEMPTS <= outcome.attempts <= notes
        else:
            assert notes <= max(0, world.outages[unit] - 1)
            assert outcome is None or outcome.reused_from or outcome.attempts <= notes + 1


def _deaths(world: World) -> int:
    """Each may come between a failure and its note."""
    return sum(fault.startswith("kill") for _, fault in world.faults)


def _check_result(world: World, number: int, run: int) -> None:
    outcome = outcomes.read(world.store, job_of(number), run, "both")
    if outcome and outcome.status == "succeeded":
        made: PayloadRef = outcome.payloads["both.measurement"]
        text = f"manifest {number} read l + manifest {number} read r"
        assert world.store.get(made) == text.encode()


def _check_taken_over(world: World, job: str) -> None:
    for stage in DEFINITION.stages:
        again = outcomes.read(world.store, job, 2, stage)
        if again and again.status == "succeeded":
            assert (again.reused_from, world.starts[job, 2, stage]) == (1, 0)


def _poisoned(stage: str) -> frozenset[tuple[int, str]]:
    """The stage of the second job, if any."""
    return frozenset({(1, stage)} if stage else ())


@cache
def _trail(stage: str) -> list[str]:
    """Which service makes each step of the story when nothing happens."""
    return _told(World(poisoned=_poisoned(stage))).trail


def _told_with(fault: str, step: int) -> World:
    try:
        world = _told(World([(step, fault)], _poisoned("left")))
        assert not world.to_come
        assert world.store.keys("begun/") == []  # nothing is taken for lost later
    except Exception as error:
        error.add_note(f"{fault} at step {step}")
        raise
    return world


@pytest.mark.parametrize("part", range(_PARTS))
def test_a_process_may_die_at_every_step(part: int) -> None:
    """Of two jobs and their replay; one of them has a unit that always fails."""
    for step in range(part, len(_trail("left")), _PARTS):
        _told_with("kill", step)


def test_a_join_may_be_handed_over_at_every_step() -> None:
    """Then two replicas race for it."""
    steps = [step for step, service in enumerate(_trail("left")) if service == "joiner"]
    joins = [_told_with("hand over", step).starts[job_of(0), 1, "both"] for step in steps]
    assert set(joins) == {1, 2}


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.tuples(st.integers(0, _WHOLE), _FAULTS), max_size=10),
    st.sampled_from(_POISONED),
    st.integers(0, _WHOLE),
)
def test_every_job_ends_as_if_nothing_had_happened(
    drawn: list[tuple[int, str]], stage: str, pace: int
) -> None:
    """Faults at any time of the story, and replicas that come first in any order."""
    seen: Counter[str] = Counter()
    faults = []
    for share, fault in drawn:
        seen[fault] += 1
        if seen[fault] <= _MOST.get(fault, len(drawn)):
            faults.append((share * len(_trail(stage)) // _WHOLE, fault))
    _told(World(faults, _poisoned(stage), ByChance(Random(pace))))  # noqa: S311 - no secret
