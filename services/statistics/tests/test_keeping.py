"""The keeper against a Faust that leaves out, repeats, and dies between any two writes."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from math import inf
from typing import Any

from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from services.statistics.changelogs import apply
from services.statistics.hours import KEPT_S
from services.statistics.keeping import Keeper, Record
from services.statistics.tending import standing
from services.statistics.tests.told import NOW, event
from services.statistics.windows import TOLD, Kept, Span, tally_of
from shared.events.wire import encode

EVER = Span("ever", 0, 1e12)
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
        if value is None:
            del self.kept[table][key]

    def figures(self) -> dict[str, int]:
        """What a replica that has read the changelogs counts, by result."""
        kept = Kept()
        for table, entries in self.kept.items():
            for key, value in entries.items():
                apply(kept, table, key, json.loads(json.dumps(value)))
        found: dict[str, int] = {}
        for results in tally_of(kept, EVER).counts.values():
            for result, count in results.items():
                found[result] = found.get(result, 0) + count
        return found


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
        if self._local.pop(key, None) is not None:
            self._waiting.append((key, None))

    async def durable(self) -> None:
        for key, value in self._waiting:
            self._log.write(self._name, key, value)
        self._waiting.clear()


def _started(log: Log, records: Sequence[Record] = LOG, now: datetime = NOW) -> Keeper:
    async def read_from(topic: str, partition: int, start: int, end: int) -> list[Record]:
        return list(records[start:end])

    facts, hours, positions = (Table(log, name) for name in ("facts", "hours", "positions"))
    return Keeper(facts, hours, positions, read_from, lambda: now)


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


OLD = [event("volume-ready", f"job-{number}", ago_s=number * 1500.0) for number in range(16)]
"""Of the last six and a half hours."""
OLD_LOG = [
    Record(TOPIC, 0, at, *encode(each))
    for at, each in enumerate([*OLD[::2], *OLD[1::2], *OLD[::-3]])
]
"""The log of those: half of each hour comes late, and then some again."""
ENDS = st.integers(1, len(OLD_LOG))
DAYS = st.lists(st.tuples(ENDS, st.integers(0, 60), st.integers(0, 40)), min_size=1, max_size=8)
"""Lives: up to where records are kept, the minutes that pass until they are folded, and after how
many writes it dies."""


@settings(deadline=None)
@given(DAYS)
async def test_a_crash_while_hours_are_folded_neither_loses_nor_doubles_an_event(
    lives: list[tuple[int, int, int]],
) -> None:
    log, now = Log(), NOW
    for end, minutes, writes in lives:
        now += timedelta(minutes=minutes)
        log.writes_left = writes
        keeper = _started(log, OLD_LOG, now)
        with suppress(Crash):
            await keeper.fill(TOPIC, 0, end)
            await keeper.fold(0, inf)
        kept_before = min(log.kept["positions"].get(f"{TOPIC}/0", 0), len(OLD))
        assert kept_before <= log.figures().get("succeeded", 0) <= len(OLD)
    log.writes_left = 10_000
    keeper = _started(log, OLD_LOG, now)
    await keeper.fill(TOPIC, 0, len(OLD_LOG))
    assert log.figures() == {"succeeded": len(OLD)}


LATER = [(8, 4), (8, 5), (16, 5), (16, 6), (22, 6)]
"""Up to where records are kept, and how many hours later they are folded: the late half of an hour
comes when the facts of the first are gone."""


async def test_for_every_write_after_which_a_fold_may_die_the_figures_are_the_same() -> None:
    """Facts become hours, and then go: each with a crash after each of its writes."""
    for writes in range(30):
        log = Log()
        for end, hours in LATER:
            keeper = _started(log, OLD_LOG, NOW + timedelta(hours=hours))
            await keeper.fill(TOPIC, 0, end)
            log.writes_left = writes
            with suppress(Crash):
                await keeper.fold(0, inf)
            log.writes_left = 10_000
            assert log.figures() == {"succeeded": min(end, len(OLD))}
        for _ in range(2):
            await _started(log, OLD_LOG, NOW + timedelta(hours=8)).fold(0, inf)
        assert (log.kept["facts"], log.figures()) == ({}, {"succeeded": len(OLD)})


async def test_when_its_time_is_over_an_event_is_neither_kept_nor_counted() -> None:
    log = Log()
    await _started(log, OLD_LOG).fill(TOPIC, 0, len(OLD_LOG))
    for hours in (8, 9, KEPT_S / 3600 + 1):
        await _started(log, OLD_LOG, NOW + timedelta(hours=hours)).fold(0, inf)
    assert (log.kept["facts"], log.kept["hours"]) == ({}, {})


async def test_until_when_windows_are_told_outlives_the_process_beside_the_positions() -> None:
    log = Log()
    for until in (NOW.timestamp() + 0.5, NOW.timestamp() + 5.0, NOW.timestamp() - 60):
        await _started(log).told(until)
        kept = Kept()
        for key, value in log.kept["positions"].items():
            apply(kept, "positions", key, value)
        assert kept.positions == {TOLD: int(until)}


def test_a_partition_stands_that_has_more_and_did_not_move() -> None:
    idle, moved, stands = (TopicPartition(TOPIC, number) for number in range(3))
    ends = dict.fromkeys((idle, moved, stands), 5)
    now = {idle: 5, moved: 3, stands: 3}
    assert standing({idle: 5, moved: 2, stands: 3}, now, ends) == [stands]
    assert standing({}, now, ends) == []
