"""The watchdog on a clock of its own: looks a second apart, unless a test says otherwise."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from services.statistics.watchdog import Verdict, Watchdog, recover_again

STANDS_S, LOST_S = 20, 90


def _watchdog() -> Watchdog:
    return Watchdog(STANDS_S, LOST_S, 0.0)


def _verdicts(
    looks: Iterable[int], recovered: int = 0, silent: Iterable[int] = ()
) -> dict[int, Verdict]:
    """What is told and when, of a replica in which nothing gets done; Kafka is silent at times."""
    watchdog = _watchdog()
    told = {now: watchdog.look(recovered, now not in silent, now) for now in looks}
    return {now: verdict for now, verdict in told.items() if verdict is not Verdict.WORKS}


def test_a_replica_that_stands_is_helped_and_then_given_up() -> None:
    told = _verdicts(range(1, LOST_S + 2))
    assert told == {
        **dict.fromkeys((21, 42, 63, 84), Verdict.STANDS),
        LOST_S + 1: Verdict.LOST,
    }


def test_it_does_not_stand_while_kafka_does_not_answer() -> None:
    assert _verdicts(range(1, 1000), silent=range(1000)) == {}


def test_its_time_begins_again_when_kafka_is_back() -> None:
    assert min(_verdicts(range(1, 200), silent=[15])) == 15 + STANDS_S + 1


def test_neither_rounds_nor_a_long_recovery_are_standing() -> None:
    working, recovering = _watchdog(), _watchdog()
    for now in range(1, 1000):
        if now % STANDS_S == 0:
            working.moved()
        assert working.look(7, True, now) is Verdict.WORKS
        assert recovering.look(now // STANDS_S, True, now) is Verdict.WORKS


def test_a_process_that_was_frozen_gets_its_time_to_go_on() -> None:
    assert _verdicts([1, 5000]) == {}


def _faust(ready: bool, flows: bool, reads: bool, lacks: bool) -> Any:
    """A Faust in one state of its recovery."""
    recovery = SimpleNamespace(
        in_recovery=reads, need_recovery=lambda: lacks, signal_recovery_start=asyncio.Event()
    )
    tables = SimpleNamespace(actives_ready=ready, started=True, recovery=recovery)
    consumer = SimpleNamespace(flow_active=flows)
    return SimpleNamespace(rebalancing=not ready, tables=tables, consumer=consumer)


@pytest.mark.parametrize(
    ("ready", "flows", "reads", "lacks", "begins"),
    [
        (False, True, True, True, True),
        (True, True, False, False, False),
        (False, False, True, True, False),
        (False, True, False, False, False),
    ],
    ids=["waits for changes", "ready", "rebalances", "seeks the events"],
)
def test_only_a_recovery_that_waits_for_changes_is_begun_anew(
    ready: bool, flows: bool, reads: bool, lacks: bool, begins: bool
) -> None:
    app = _faust(ready, flows, reads, lacks)
    recover_again(app)
    assert app.tables.recovery.signal_recovery_start.is_set() is begins
