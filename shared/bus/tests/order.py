"""Who goes on next between any two steps of the world: left to chance, or chosen by hand."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Protocol

from shared.bus.tests import virtual_time

if TYPE_CHECKING:
    from shared.bus.tests.process import Process


class Order(Protocol):
    """Where a process stands before each of its effects, until it is its turn."""

    def pause(self, process: "Process", what: str) -> None:
        """In a thread beside the loop."""
        ...

    async def wait(self, process: "Process", what: str, usual_s: float = 0) -> None:
        """`usual_s` is how long it takes where nobody chooses."""
        ...

    async def news(self, process: "Process", has_news: Callable[[], bool], most_s: float) -> None:
        """Wait for records, so long at the most."""
        ...


class ByChance:
    """Each step takes its time; who comes first is drawn."""

    def __init__(self, pace: Random) -> None:
        self._pace = pace

    def pause(self, process: "Process", what: str) -> None:  # noqa: ARG002 - the port's
        virtual_time.pause(self._pace.random() / 8)

    async def wait(self, process: "Process", what: str, usual_s: float = 0) -> None:  # noqa: ARG002
        await asyncio.sleep(usual_s)

    async def news(self, process: "Process", has_news: Callable[[], bool], most_s: float) -> None:  # noqa: ARG002
        await asyncio.sleep(0 if has_news() else most_s)


@dataclass(eq=False, frozen=True)
class Gate:
    """A process that stands before an effect."""

    process: "Process"
    what: str
    opens: Callable[[], object]
    is_due: Callable[[], bool]


class ByHand:
    """Nobody goes on until its gate is opened."""

    def __init__(self) -> None:
        self._gates: list[Gate] = []

    def due(self) -> list[Gate]:
        """Who could go on now, whoever came first first."""
        return [gate for gate in self._gates if gate.process.dead or gate.is_due()]

    def open(self, gate: Gate) -> None:
        self._gates.remove(gate)
        gate.opens()

    def pause(self, process: "Process", what: str) -> None:
        virtual_time.halt(lambda go_on: self._stand(process, what, go_on, lambda: True))

    async def wait(self, process: "Process", what: str, usual_s: float = 0) -> None:  # noqa: ARG002
        await self._wait(process, what, lambda: True)

    async def news(self, process: "Process", has_news: Callable[[], bool], most_s: float) -> None:
        if most_s:
            with suppress(TimeoutError):
                async with asyncio.timeout(most_s):
                    await self._wait(process, "reads records", has_news)

    async def _wait(self, process: "Process", what: str, is_due: Callable[[], bool]) -> None:
        turn = asyncio.get_running_loop().create_future()
        gate = self._stand(process, what, partial(turn.set_result, None), is_due)
        try:
            await turn
        finally:
            if gate in self._gates:  # cancelled
                self._gates.remove(gate)

    def _stand(
        self,
        process: "Process",
        what: str,
        opens: Callable[[], object],
        is_due: Callable[[], bool],
    ) -> Gate:
        gate = Gate(process, what, opens, is_due)
        self._gates.append(gate)
        return gate
