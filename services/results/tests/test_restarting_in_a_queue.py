"""What waits in a queue that moves is left there; what the queue has passed is published again."""

from datetime import timedelta
from pathlib import Path

from services.results.deadlines import sweep
from services.results.tests.facts import RECEIVED
from services.results.tests.standstill import System, named
from shared.events.models import Lane


def _swept(system: System) -> int:
    return sweep(system.intake.ledger, system.intake.concluder, RECEIVED)


def _minutes(system: System) -> float:
    return (system.clock() - RECEIVED).total_seconds() / 60


async def test_an_event_that_was_lost_is_published_again_while_others_pass(tmp_path: Path) -> None:
    system = System(tmp_path)
    (volume,) = system.ended("reader")
    system.intake.take([system.story.input_ready(), volume])
    found = []
    for second in range(20, 200, 20):
        system.clock.advance(20)
        system.other(began=system.clock() - timedelta(seconds=15))
        found += [(second, event) for event in await system.sweep()]
    assert found == [(80, event) for event in named(volume)]
    held = {each.key["stage"] for each in system.alerts()}
    assert held == {"lung-seg", "lesion-seg"}


async def test_what_was_published_again_waits_behind_those_that_came_before(tmp_path: Path) -> None:
    system = System(tmp_path)
    (volume,) = system.ended("reader")
    system.intake.take([system.story.input_ready(), volume])
    times = []
    for second in range(10, 600, 10):
        system.clock.advance(10)
        system.other(began=RECEIVED + timedelta(seconds=second / 5))  # each waits for longer
        times += [second] if await system.sweep() else []
    assert times == [70, 350]


async def test_a_queue_that_moves_gets_no_second_copy_however_long_it_is(tmp_path: Path) -> None:
    system = System(tmp_path)
    (volume,) = system.ended("reader")
    system.intake.take([system.story.input_ready(), volume])
    for _ in range(40):
        system.clock.advance(30)
        system.other(began=RECEIVED - timedelta(minutes=1))
        assert await system.sweep() == []
    assert system.alerts() == []


async def test_while_only_other_queues_of_the_stage_move_patience_is_longer(
    tmp_path: Path,
) -> None:
    system = System(tmp_path)
    (volume,) = system.ended("reader")
    system.intake.take([system.story.input_ready(), volume])
    times = []
    for second in range(30, 2400, 30):
        system.clock.advance(30)
        system.other(began=system.clock() - timedelta(seconds=20), lane=Lane.STAT)
        times += [second] if await system.sweep() else []
    assert times == [630, 1830]


async def test_what_queues_for_a_stage_that_is_slower_than_a_minute_is_left_there(
    tmp_path: Path,
) -> None:
    system = System(tmp_path)
    waiting = system.queue("early", 6, RECEIVED - timedelta(seconds=60))
    system.queue("late", 5, RECEIVED)
    system.read(waiting.pop(0), 70)
    for story in waiting:
        for _ in range(7):
            system.clock.advance(10)
            again = await system.sweep()
            assert "input-ready" not in {kind for kind, _ in again}
        system.read(story, 70)
    assert "reader" not in {alert.key["stage"] for alert in system.alerts()}


async def test_what_a_slow_stage_never_heard_of_is_published_again_all_the_same(
    tmp_path: Path,
) -> None:
    system = System(tmp_path)
    (before,) = system.queue("before", 1, RECEIVED - timedelta(seconds=70))
    system.read(before, 70)
    asked = system.story.input_ready()
    system.intake.take([asked])
    found = []
    for second in range(10, 200, 10):
        system.clock.advance(10)
        found += [second for event in await system.sweep() if event in named(asked)]
    assert found == [150]


async def test_a_job_that_everybody_passes_fails_half_an_hour_after_it_was_due(
    tmp_path: Path,
) -> None:
    system = System(tmp_path)
    system.intake.take([system.story.input_ready(), *system.ended("reader")])
    restarted, ended = [], 0
    while not ended and system.clock() < RECEIVED + timedelta(hours=1):
        system.clock.advance(30)
        system.other(began=system.clock() - timedelta(seconds=10))
        restarted += [_minutes(system)] if await system.sweep() else []
        ended = _swept(system)
    assert (restarted, _minutes(system)) == ([1.5, 3.5, 7.5, 15.5], 31.0)


async def test_a_lost_event_before_a_long_queue_fails_nothing_while_its_copy_waits(
    tmp_path: Path,
) -> None:
    system = System(tmp_path)
    system.intake.take([system.story.input_ready(), *system.ended("reader")])
    system.clock.advance(90)
    assert await system.sweep()  # its copy stands behind what came in these 90 s
    for number in range(160):
        system.clock.advance(30)
        system.other(began=RECEIVED + timedelta(seconds=10 + number / 2))
        await system.sweep()
        assert _swept(system) == 0
