"""The toy pipeline, two replicas of each service, that stand still before each of their effects."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from shared.bus.tests import virtual_time
from shared.bus.tests.order import ByHand, Gate
from shared.bus.tests.process import Process
from shared.bus.tests.world import World, event_of
from shared.events.models import Lane
from shared.testing import toy

T = TypeVar("T")
Replica = tuple[str, int]
REPLICAS = tuple((service, number) for service in toy.CATALOG for number in range(2))
_MOST_STEPS = 5000
_EFFECT_S = 0.05
_SETTLED_S = 60.0
"""Longer than any pause of the bus."""


class Stepped:
    """Nothing happens in it but what is told here, and what follows until the next effects."""

    def __init__(self) -> None:
        self._order = ByHand()
        self._runner = virtual_time.by_steps()
        self.world = World(order=self._order)
        self._living: dict[Replica, tuple[Process, asyncio.Task[None]]] = {}
        for replica in REPLICAS:
            self.start(replica)

    def _run(self, part: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(part)

    @property
    def living(self) -> list[Replica]:
        return [*self._living]

    @property
    def dead(self) -> list[Replica]:
        return [replica for replica in REPLICAS if replica not in self._living]

    def due(self) -> list[Gate]:
        """The effects that could happen now, whoever came first first."""
        self._bury()
        return self._order.due()

    def who(self, gate: Gate) -> Replica:
        """Who stands before an effect."""
        return next(replica for replica, (one, _) in self._living.items() if one is gate.process)

    def go_on(self, gate: Gate) -> None:
        """Let one effect happen."""
        self._run(self._open(gate))

    async def _open(self, gate: Gate) -> None:
        self._order.open(gate)
        await asyncio.sleep(_EFFECT_S)
        await virtual_time.until_idle()

    def wait(self, seconds: float) -> None:
        """Let time pass, in which no effect happens."""
        self._run(self._wait(seconds))

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await virtual_time.until_idle()

    def tell(self, what: Callable[[], object]) -> None:
        """What the world is told, and what follows from it at once."""
        self._run(self._tell(what))

    async def _tell(self, what: Callable[[], object]) -> None:
        what()
        await virtual_time.until_idle()

    def start(self, replica: Replica) -> None:
        """As its supervisor does; it is given its partitions from their committed positions."""
        self._run(self._start(replica))

    async def _start(self, replica: Replica) -> None:
        process = Process(self.world, replica[0])
        self.world.processes.append(process)
        self._living[replica] = process, asyncio.create_task(process.live())
        await virtual_time.until_idle()

    def crash(self, replica: Replica) -> None:
        """All that it stood before never happens; its twin is given its partitions."""
        process, _ = self._living.pop(replica)
        process.dead = True
        self._bury()
        self.tell(lambda: self.world.rebalance(replica[0]))

    def _bury(self) -> None:
        while of_the_dead := [gate for gate in self._order.due() if gate.process.dead]:
            self.go_on(of_the_dead[0])

    def check(self) -> None:
        """Raises what ended a process that nobody has killed."""
        for process, task in self._living.values():
            if process.wrong:
                raise process.wrong
            if task.done():
                task.result()

    def ask(self, number: int, run: int, *, fresh: bool = False) -> None:
        """A run of a job comes."""
        event = event_of(self.world.store, number, run, fresh=fresh)
        self.world.publish(event, Lane.ROUTINE, number % 2)

    def drain(self, check: Callable[[], object]) -> None:
        """Let everything happen that is still to, each in its turn; nobody is dead."""
        for replica in self.dead:
            self.start(replica)
        steps = waited_s = 0.0
        while waited_s < _SETTLED_S:
            while due := self.due():
                self.go_on(due[0])
                check()
                steps, waited_s = steps + 1, 0.0
                assert steps < _MOST_STEPS
            self.wait(1.0)
            waited_s += 1.0

    def close(self) -> None:
        for replica in list(self._living):
            self.crash(replica)
        self._runner.close()
