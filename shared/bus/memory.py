"""The bus in memory, for tests: the fake beside the real one, with the same guarantees."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from shared.bus.execution import Verdict, judge
from shared.bus.received import Place, Received
from shared.bus.work import Ports, Work
from shared.catalog import topic_name
from shared.errors import Unavailable
from shared.events.models import Lane
from shared.events.wire import Event, decode, encode

Subscriber = Callable[[Received], Awaitable[None]]


class MemoryBus:
    """Keeps every record; each subscriber reads all of its kinds, from the earliest."""

    def __init__(self) -> None:
        self.records: list[Received] = []
        self._subscribers: list[tuple[frozenset[str], Subscriber]] = []
        self._positions: list[int] = []

    async def publish(
        self,
        event: Event,
        lane: Lane | None,
        partition: int | None,
        key: str | None = None,  # noqa: ARG002 - the port's
    ) -> None:
        place = Place(topic_name(event.kind, lane), partition or 0, len(self.records), lane)
        self.records.append(Received(decode(*encode(event)), place))

    def subscribe(self, kinds: Iterable[str], subscriber: Subscriber) -> None:
        """Deliver every event of these kinds, those already published included."""
        self._subscribers.append((frozenset(kinds), subscriber))
        self._positions.append(0)

    async def settle(self) -> None:
        """Deliver until every subscriber has read everything."""
        while any(position < len(self.records) for position in self._positions):
            for index, (kinds, subscriber) in enumerate(self._subscribers):
                end = len(self.records)
                for received in self.records[self._positions[index] : end]:
                    if received.event.kind in kinds:
                        await subscriber(received)
                self._positions[index] = end

    async def deliver_at_once(self) -> None:
        """Give what is new to all subscribers of its kind at the same time: replicas that race."""
        new = self.records[min(self._positions, default=0) :]
        await asyncio.gather(
            *(
                subscriber(received)
                for received in new
                for kinds, subscriber in self._subscribers
                if received.event.kind in kinds
            )
        )
        self._positions = [len(self.records)] * len(self._positions)

    def events(self, kind: str) -> list[Event]:
        """The distinct events of a kind, in the order of their first publication."""
        found = {r.event.id: r.event for r in reversed(self.records) if r.event.kind == kind}
        return list(reversed(found.values()))


class InlineExecutor:
    """Runs handlers in a thread of this process: no deadline, no memory limit."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def execute(self, work: Work) -> Verdict:
        return await asyncio.to_thread(judge, self._ports.handle, work)

    async def is_up(self, what: str, lane: Lane) -> bool:  # noqa: ARG002 - the port's
        try:
            self._ports.probes[what]()
        except Unavailable:
            return False
        return True
