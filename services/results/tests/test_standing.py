"""Of a hundred thousand open runs a look reads those that are late or quiet, and no others."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from services.results.deadlines import sweep
from services.results.ledger import standing
from services.results.ledger.standing import Open
from services.results.ledger.tables import runs
from services.results.looking import keep_looking
from services.results.tests.facts import PIPELINE, RECEIVED
from services.results.tests.standstill import System
from shared.clock import ManualClock
from shared.errors import Unavailable

DEADLINE = timedelta(seconds=PIPELINE.deadline)


@pytest.fixture
def system(tmp_path: Path) -> System:
    """Three jobs that come a second apart and wait for the reader."""
    system = System(tmp_path)
    system.queue("waits", 3, RECEIVED)
    return system


def _quiet(system: System, since: datetime, now: datetime) -> set[datetime]:
    with system.intake.ledger.reading() as connection:
        return {run.began for run in standing.quiet(connection, since, now)}


def _late(system: System, by: datetime) -> Sequence[Open]:
    with system.intake.ledger.reading() as connection:
        (definition,) = standing.definitions(connection)
        return sorted(standing.begun(connection, definition, by), key=lambda run: run.began)


def _after(seconds: float) -> datetime:
    return RECEIVED + timedelta(seconds=seconds)


def test_only_what_had_no_news_since_then_is_quiet(system: System) -> None:
    ends = [run.last for run in _late(system, _after(10))]
    assert ends == [run.began for run in _late(system, _after(10))]
    assert _quiet(system, ends[1], _after(100)) == set(ends[:2])


def test_what_lies_ahead_of_a_clock_that_was_set_back_is_no_news(system: System) -> None:
    assert len(_quiet(system, _after(-3700), _after(-3600))) == 3


def test_what_was_restarted_by_a_clock_that_was_set_back_is_quiet(system: System) -> None:
    with system.intake.ledger.transaction() as connection:
        connection.execute(update(runs).values(restarted_at=_after(3600)))
    assert len(_quiet(system, _after(100), _after(200))) == 3


def test_a_run_whose_input_ready_was_never_read_is_not_quiet(system: System) -> None:
    system.intake.take([system.story.made("reader")])
    assert len(_quiet(system, _after(1000), _after(2000))) == 3


async def test_what_was_restarted_is_not_quiet_until_that_is_as_long_ago(system: System) -> None:
    system.clock.advance(70)
    assert await system.sweep()
    assert _quiet(system, _after(60), _after(71)) == set()
    assert len(_quiet(system, _after(71), _after(131))) == 3


def test_only_what_began_a_deadline_ago_may_be_late(system: System) -> None:
    first = _late(system, _after(10))[0].began
    assert [run.began for run in _late(system, first)] == [first]


def test_what_a_run_is_known_to_have_ended_comes_with_it(system: System) -> None:
    (volume,) = system.ended("reader")
    system.intake.take([system.story.input_ready(), volume])
    found = {tuple(run.known.facts): run.known.ends for run in _late(system, _after(10))}
    assert found.keys() == {(), ("reader",)}
    assert found["reader",].keys() == {"reader"}


def test_nothing_is_late_before_somebody_has_looked_for_a_deadline(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it read: after an outage every run may have begun a deadline ago."""
    monkeypatch.setattr(standing, "begun", None)
    system.clock.advance(100 * DEADLINE.total_seconds())
    looking = system.clock() - DEADLINE + timedelta(seconds=1)
    assert sweep(system.intake.ledger, system.intake.concluder, looking) == 0


async def test_a_run_that_another_replica_restarted_since_the_look_is_left_to_it(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.clock.advance(70)
    look = standing.quiet

    def overtaken(*args: object) -> list[Open]:
        found = look(*args)  # type: ignore[arg-type]
        monkeypatch.undo()
        assert len(system.restarter.standing(RECEIVED)) == 3
        for still in system.restarter.standing(RECEIVED):
            assert system.restarter.claim(still)
        return found

    monkeypatch.setattr(standing, "quiet", overtaken)
    assert system.restarter.standing(RECEIVED) == []


async def test_looks_that_take_long_are_rarer_but_not_those_that_an_outage_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rested: list[float] = []
    told: list[datetime] = []
    down = iter([False, True])

    async def sleep(seconds: float) -> None:
        rested.append(seconds)
        if len(rested) == 3:
            raise asyncio.CancelledError

    async def look(since: datetime) -> None:
        told.append(since)
        time.sleep(0.8)
        if next(down):
            raise Unavailable("ledger")

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await keep_looking(ManualClock(RECEIVED), RECEIVED, look)
    assert told == [RECEIVED, RECEIVED]
    assert rested[0] == 5
    assert 7 < rested[1] < 60
    assert rested[2] == 5


async def test_a_run_whose_definition_nobody_named_is_no_error(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    with system.intake.ledger.transaction() as connection:
        connection.execute(update(runs).values(definition={}))
    system.clock.advance(100 * DEADLINE.total_seconds())
    assert sweep(system.intake.ledger, system.intake.concluder, RECEIVED) == 0
    assert await system.sweep() == []
    assert "passed over" not in "".join(capsys.readouterr())
