"""At most one suspect at a time, whatever falls between two steps of those who want the turn."""

import asyncio
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bus.tests import virtual_time
from shared.bus.tests.away import Away, turn_on
from shared.errors import Unavailable
from shared.events.models import Lane

_SUSPECTS = 4
_TURNS = 3
_SLOW = 0.2
_LASTS_S = {"store down": 45.0, "answers lost": 20.0, "crash": 0.0}
_FAULTS = st.lists(st.tuples(st.floats(0, 200), st.sampled_from([*_LASTS_S])), max_size=5)


@dataclass
class _World:
    """What the suspects share, and how many of them have the turn."""

    pace: Random
    objects: dict[str, bytes] = field(default_factory=dict)
    faults: set[str] = field(default_factory=set)
    living: list["_Store"] = field(default_factory=list)
    holders = most = 0


class _Store(Away):
    """The shared objects, as one process reaches them: each step takes its own time."""

    def __init__(self, world: _World) -> None:
        super().__init__()
        self._objects, self._world = world.objects, world
        self.dead = self.works = False
        world.living.append(self)

    def _step_s(self) -> float:
        """Some steps are slower than a renewal, but none of who renews: its turn would go stale."""
        pace = self._world.pace
        return pace.random() * (8.0 if not self.works and pace.random() < _SLOW else 0.3)

    def probe(self) -> None:
        virtual_time.pause(self._step_s())
        self.deaf = "answers lost" in self._world.faults
        if self.dead or "store down" in self._world.faults:
            raise Unavailable("store")


async def _suspect(world: _World, store: _Store) -> None:
    """Has its turns, and works in each."""
    turn, turns = turn_on(store), 0
    while turns < _TURNS:
        await turn.until_free(lambda: world.pace.choice([*Lane]))
        async with turn.taken() as taken:
            if taken:
                turns += 1
                await _work(world, store)


async def _work(world: _World, store: _Store) -> None:
    store.works = True
    world.holders += 1
    world.most = max(world.most, world.holders)
    try:
        await asyncio.sleep(world.pace.choice([0, 1, 7, 90]))
    finally:
        world.holders -= 1
        store.works = False


async def _process(world: _World) -> None:
    """A suspect; when its process dies, the next one begins anew."""
    while True:
        store = _Store(world)
        task = asyncio.create_task(_suspect(world, store))
        while not task.done() and not store.dead:
            await asyncio.wait([task], timeout=1)
        if not store.dead:
            return task.result()
        task.cancel()
        await asyncio.wait([task])
        world.living.remove(store)


async def _befall(world: _World, moment: float, fault: str) -> None:
    await asyncio.sleep(moment)
    if fault == "crash":
        world.pace.choice(world.living).dead = True
        return
    world.faults.add(fault)
    await asyncio.sleep(_LASTS_S[fault])
    world.faults.discard(fault)


async def _story(world: _World, faults: list[tuple[float, str]]) -> None:
    async with asyncio.timeout(7200), asyncio.TaskGroup() as group:
        for fault in faults:
            group.create_task(_befall(world, *fault))
        for _ in range(_SUSPECTS):
            group.create_task(_process(world))


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(_FAULTS, st.integers(0, 1000))
def test_at_most_one_suspect_has_the_turn_and_each_has_it_in_the_end(
    faults: list[tuple[float, str]], seed: int
) -> None:
    world = _World(Random(seed))  # noqa: S311 - no secret
    virtual_time.run(_story(world, faults))
    assert world.most == 1
