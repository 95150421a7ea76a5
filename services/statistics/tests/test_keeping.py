"""The keeper against a Faust that leaves out, repeats, and dies between any two writes."""

from collections.abc import Iterable
from typing import Any

from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from services.statistics.keeping import Keeper, Record
from services.statistics.tending import standing
from services.statistics.tests.told import NOW, event
from shared.events.wire import encode

TOPIC = "clarion.volume-ready.v1.routine"
EVENTS = [event("volume-ready", f"job-{number % 9}") for number in range(12)]
"""Twelve records, three of which are published a second time."""
LOG = [Record(TOPIC, 0, at, *encode(each)) for at, each in enumerate(EVENTS)]


class Crash(Exception):
    """The process ended here."""


class Log:
    """What the broker has of the tables; it dies after so many writes."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {"facts": {}, "hours": {}, "positions": {}}
        self.writes_left = 10_000

    def write(self, table: str, key: str, value: Any) -> None:
        if not self.writes_left:
            raise Crash
        self.writes_left -= 1
        self.kept[table][key] = value


class Table:
    """A replica's table: a change reaches the broker only when it is waited for."""

    def __init__(self, log: Log, name: str) -> None:
        self._log, self._name = log, name
        self._local = dict(log.kept[name])
        self._waiting: list[tuple[str, Any]] = []

    def get(self, key: str) -> Any:
        return self._local.get(key)

    def items(self) -> Iterable[tuple[str, Any]]:
        return self._local.items()

    def put(self, key: str, value: Any, partition: int) -> None:  # noqa: ARG002 - the port's
        self._local[key] = value
        self._waiting.append((key, value))

    def drop(self, key: str, partition: int) -> None:  # noqa: ARG002 - the port's
        self._local.pop(key, None)

    async def durable(self) -> None:
        for key, value in self._waiting:
            self._log.write(self._name, key, value)
        self._waiting.clear()


async def _read_from(topic: str, partition: int, start: int, end: int) -> list[Record]:
    return LOG[start:end]


def _started(log: Log) -> Keeper:
    facts, hours, positions = (Table(log, name) for name in ("facts", "hours", "positions"))
    return Keeper(facts, hours, positions, _read_from, lambda: NOW)


async def _run(log: Log, batches: Iterable[Iterable[int]]) -> None:
    keeper = _started(log)
    try:
        for offsets in batches:
            await keeper.keep([LOG[offset] for offset in offsets])
    except Crash:
        log.writes_left = 10_000


BATCHES = st.lists(st.lists(st.integers(0, 11), max_size=4), max_size=4)
LIVES = st.lists(st.tuples(BATCHES, st.integers(0, 12)), max_size=6)


@settings(deadline=None)
@given(LIVES)
async def test_every_event_is_kept_whatever_faust_leaves_out_and_whenever_it_dies(
    lives: list[tuple[list[list[int]], int]],
) -> None:
    """In each life Faust brings batches in its own order, and dies after so many writes."""
    log = Log()
    for batches, writes in lives:
        log.writes_left = writes
        await _run(log, batches)
        log.writes_left = 10_000
    await _started(log).fill(TOPIC, 0, len(LOG))
    assert len(log.kept["facts"]) == 9


@settings(deadline=None)
@given(LIVES)
async def test_a_position_is_never_beyond_what_is_kept(
    lives: list[tuple[list[list[int]], int]],
) -> None:
    log = Log()
    for batches, writes in lives:
        log.writes_left = writes
        await _run(log, batches)
        position = log.kept["positions"].get(f"{TOPIC}/0", 0)
        assert len(log.kept["facts"]) >= min(position, 9)


def test_a_partition_stands_that_has_more_and_did_not_move() -> None:
    idle, moved, stands = (TopicPartition(TOPIC, number) for number in range(3))
    ends = dict.fromkeys((idle, moved, stands), 5)
    now = {idle: 5, moved: 3, stands: 3}
    assert standing({idle: 5, moved: 2, stands: 3}, now, ends) == [stands]
    assert standing({}, now, ends) == []
