"""Keeps each event of a partition as a fact, none left out: also those that Faust leaves out.

After a rebalance Faust 0.15.3 may go on with records that it had fetched before. It takes the
offsets between for holes in the log, counts them as done and commits past them. So what was kept is
told by positions of our own, in a table beside the facts; where an event is not the next one, those
between are read from Kafka. What is kept twice changes nothing (`facts`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.statistics.facts import Fact, fact_of
from services.statistics.hours import KEPT_S, Hour, fold, name_of, place_of
from services.statistics.windows import TOLD
from shared.clock import Clock
from shared.events.wire import Undecodable, decode
from shared.telemetry.logs import logger

Headers = Iterable[tuple[str, bytes]]


class Table(Protocol):
    """A table of one replica, whose changes are durable when `durable` has returned."""

    def get(self, key: str) -> Any: ...
    def items(self) -> Iterable[tuple[str, Any]]: ...
    def put(self, key: str, value: Any, partition: int) -> None: ...
    def drop(self, key: str, partition: int) -> None: ...
    async def durable(self) -> None: ...


@dataclass(frozen=True)
class Record:
    """What is read of a record of Kafka."""

    topic: str
    partition: int
    offset: int
    headers: Headers
    value: bytes | None


ReadFrom = Callable[[str, int, int, int], Awaitable[list[Record]]]
"""(topic, partition, from, to): the records from one offset on and before another."""


class Keeper:
    """The only one that changes the tables of a replica, one change after the other."""

    def __init__(
        self, facts: Table, hours: Table, positions: Table, read_from: ReadFrom, clock: Clock
    ) -> None:
        self._facts, self._hours, self._positions = facts, hours, positions
        self._read_from = read_from
        self._clock = clock
        self._lock = asyncio.Lock()

    def position(self, topic: str, partition: int) -> int:
        """The offset before which every event is kept."""
        return int(self._positions.get(f"{topic}/{partition}") or 0)

    async def keep(self, records: Sequence[Record]) -> None:
        """Keep records, and of each partition those that were left out. Kafka's errors."""
        async with self._lock:
            ends: dict[tuple[str, int], int] = {}
            whole: list[Record] = []
            for record in records:
                place = (record.topic, record.partition)
                end = ends.get(place, self.position(*place))
                whole += [*await self._left_out(*place, end, record.offset), record]
                ends[place] = max(end, record.offset + 1)
            await self._keep(whole, ends)

    async def fill(self, topic: str, partition: int, end: int) -> None:
        """Keep every record before `end`. Kafka's errors."""
        async with self._lock:
            at = self.position(topic, partition)
            left_out = await self._left_out(topic, partition, at, end)
            await self._keep(left_out, {(topic, partition): end})

    async def told(self, until: float) -> None:
        """Remember that the windows are published that ended until then, in s since 1970."""
        async with self._lock:
            if self.position(*TOLD) != int(until):
                topic, partition = TOLD
                self._positions.put(f"{topic}/{partition}", int(until), partition)
                await self._positions.durable()

    async def fold(self, partition: int, told: float) -> None:
        """Fold what is due; a fact goes when the hour that counts it is durable, and its windows
        are `told`, the moment until which all are.
        """
        async with self._lock:
            facts = [Fact.from_json(kept) for _, kept in self._facts.items()]
            own = {place_of(name): kept for name, kept in self._hours.items()}
            hours = {at: Hour.from_json(kept) for at, kept in own.items() if at[0] == partition}
            changes = fold(partition, facts, hours, self._clock().timestamp(), told)
            for place, hour in changes.hours.items():
                self._hours.put(name_of(place), hour.to_json(), partition)
            await self._hours.durable()
            for mark in changes.forgotten_facts:
                self._facts.drop(mark, partition)
            for place in changes.forgotten_hours:
                self._hours.drop(name_of(place), partition)
            await self._facts.durable()
            await self._hours.durable()

    async def _left_out(self, topic: str, partition: int, start: int, end: int) -> list[Record]:
        if start >= end:
            return []
        found = await self._read_from(topic, partition, start, end)
        if found:
            logger().info("read what was left out", topic=topic, records=len(found))
        return found

    async def _keep(self, records: list[Record], ends: Mapping[tuple[str, int], int]) -> None:
        """Positions move when the facts are durable, and never back."""
        await self._positions.durable()
        oldest = self._clock().timestamp() - KEPT_S
        for fact in filter(None, map(_fact, records)):
            if fact.finished > oldest:
                self._facts.put(fact.mark, fact.to_json(), fact.partition)
        await self._facts.durable()
        for (topic, partition), end in ends.items():
            if end > self.position(topic, partition):
                self._positions.put(f"{topic}/{partition}", end, partition)


def _fact(record: Record) -> Fact | None:
    try:
        return fact_of(decode(record.headers, record.value or b""), record.partition)
    except Undecodable as error:
        logger().warning("event not understood", code=error.code, topic=record.topic)
        return None


def reader(bootstrap: str) -> ReadFrom:
    """Reads from Kafka, outside of any group."""

    async def read_from(topic: str, partition: int, start: int, end: int) -> list[Record]:
        place = TopicPartition(topic, partition)
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([place])
            first = (await consumer.beginning_offsets([place]))[place]
            consumer.seek(place, max(first, start))
            found: list[Record] = []
            while await consumer.position(place) < end:
                for r in (await consumer.getmany(place, timeout_ms=500)).get(place, []):
                    found.append(Record(topic, partition, r.offset, r.headers, r.value))
            return [record for record in found if record.offset < end]
        finally:
            await consumer.stop()

    return read_from
