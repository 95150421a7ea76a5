"""A lost event is made good from the outcome that holds it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from services.results.deadlines import sweep
from services.results.definitions import Definitions
from services.results.intake import Intake
from services.results.ledger import outbox
from services.results.ledger.database import Ledger
from services.results.ledger.tables import runs
from services.results.restarting import Restarter
from services.results.tests.facts import PIPELINE, RECEIVED, Story, intake_into, job
from shared.bus import outcomes
from shared.bus.memory import MemoryBus
from shared.bus.outcomes import Outcome, OutcomeEvent
from shared.bus.received import EventTooLarge, Received
from shared.clock import ManualClock
from shared.events.models import Alert, Common, Lane
from shared.events.wire import Event
from shared.identity import case_id
from shared.store.memory import MemoryStore


class ChoosyBus(MemoryBus):
    """Takes no event of a kind, as if each were too large."""

    def __init__(self, refused: str) -> None:
        super().__init__()
        self.refused = refused

    async def publish(
        self, event: Event, lane: Lane | None, partition: int | None, key: str | None = None
    ) -> None:
        if event.kind == self.refused:
            raise EventTooLarge(event.kind, 2 << 20)
        await super().publish(event, lane, partition, key)


class System:
    """A run whose services write outcomes, and a bus that may lose an event."""

    def __init__(self, path: Path) -> None:
        self.store, self.clock, self.bus = MemoryStore(), ManualClock(RECEIVED), MemoryBus()
        self.intake: Intake = intake_into(path, self.store, self.clock)
        self.story, self._others = Story(self.store), count()
        self.restarter = Restarter(
            self.intake.ledger,
            self.store,
            Definitions(self.store),
            self.clock,
            timedelta(seconds=60),
        )

    def ended(self, *stages: str) -> list[Received]:
        """Stages have ended: their outcomes are written, whatever becomes of their events."""
        made = [self.story.made(stage) for stage in stages]
        for received in made:
            outcomes.keep(self.store, _outcome_of(received))
        return made

    def other(self, began: datetime, lane: Lane = Lane.ROUTINE) -> None:
        """Another patient's job comes then, is read at once, and all else of it is done now."""
        case = case_id("covid19-ct", str(next(self._others)), "study")
        story = Story(self.store, case=case, began=began, lane=lane)
        begun = [story.input_ready(), story.made("reader")]
        behind = PIPELINE.behind("reader")
        moment = self.clock()
        ended: dict[str, Any] = {"started_at": moment - timedelta(seconds=1), "finished_at": moment}
        self.intake.take([*begun, *(story.made(stage, **ended) for stage in behind)])

    def read(self, story: Story, seconds: float) -> None:
        """The reader has ended a job's study now, and took so long."""
        moment = self.clock()
        began = moment - timedelta(seconds=seconds)
        self.intake.take([story.made("reader", started_at=began, finished_at=moment)])

    def queue(self, name: str, jobs: int, began: datetime) -> list[Story]:
        """Jobs that come a second apart and wait for the reader."""
        found = [
            Story(
                self.store,
                case=case_id("covid19-ct", f"{name} {number}", "study"),
                began=began + timedelta(seconds=number),
            )
            for number in range(jobs)
        ]
        self.intake.take([story.input_ready() for story in found])
        return found

    def alerts(self) -> list[Alert]:
        """What waits to be told, in its order."""
        with self.intake.ledger.reading() as connection:
            waiting = [letter.event.data for letter in outbox.unsent(connection)]
        return [data for data in waiting if isinstance(data, Alert)]

    async def sweep(self, watching_since: datetime = RECEIVED) -> list[tuple[str, str]]:
        """What a round publishes: kind and id."""
        before = len(self.bus.records)
        await self.restarter.round(self.bus, watching_since)
        return [(r.event.kind, r.event.id) for r in self.bus.records[before:]]


def _outcome_of(received: Received) -> Outcome:
    event, data = received.event, received.event.data
    assert isinstance(data, Common)
    made = OutcomeEvent(
        id=event.id,
        kind=event.kind,
        time=event.time,
        data=data.model_dump(mode="json", exclude_none=True),
    )
    return Outcome(
        job_id=data.job_id,
        run=data.run,
        stage=data.stage,
        service=event.source,
        status="succeeded",
        attempts=1,
        started_at=data.started_at,
        finished_at=data.finished_at,
        traceparent=event.traceparent,
        code_version="0",
        events=(made,),
    )


def _named(*received: Received) -> list[tuple[str, str]]:
    return [(each.event.kind, each.event.id) for each in received]


async def test_an_event_that_nobody_heard_is_published_again_as_it_was(tmp_path: Path) -> None:
    system = System(tmp_path)
    (volume,) = system.ended("reader")
    (lungs,) = system.ended("lung-seg")
    system.intake.take([system.story.input_ready(), volume])
    assert await system.sweep() == []
    system.clock.advance(70)
    assert _named(lungs)[0] in await system.sweep()
    again = next(r for r in system.bus.records if r.event.id == lungs.event.id)
    assert (again.event, again.place.partition) == (lungs.event, lungs.place.partition)


async def test_what_should_have_woken_a_silent_stage_is_published_again(tmp_path: Path) -> None:
    system = System(tmp_path)
    made = system.ended("reader", "lung-seg", "lesion-seg")
    system.intake.take([system.story.input_ready(), *made])
    system.clock.advance(70)
    assert sorted(await system.sweep()) == sorted(_named(*made[1:]))


async def test_a_lost_input_is_published_again_with_its_id(tmp_path: Path) -> None:
    system = System(tmp_path)
    asked = system.story.input_ready()
    system.intake.take([asked])
    system.clock.advance(70)
    assert await system.sweep() == _named(asked)


async def test_each_restart_waits_twice_as_long_and_news_begins_anew(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.intake.take([system.story.input_ready()])
    found = []
    for _ in range(5):
        system.clock.advance(61)
        found.append(bool(await system.sweep()))
    assert found == [True, False, True, False, False]


async def test_an_event_that_was_lost_is_published_again_while_others_pass(tmp_path: Path) -> None:
    system = System(tmp_path)
    (volume,) = system.ended("reader")
    system.intake.take([system.story.input_ready(), volume])
    found = []
    for second in range(20, 200, 20):
        system.clock.advance(20)
        system.other(began=system.clock() - timedelta(seconds=15))
        found += [(second, event) for event in await system.sweep()]
    assert found == [(80, event) for event in _named(volume)]
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


async def test_a_run_that_stands_is_told_once_with_the_stages_that_hold_it(tmp_path: Path) -> None:
    system = System(tmp_path)
    made = system.ended("reader", "lung-seg", "lesion-seg")
    system.intake.take([system.story.input_ready(), *made])
    for seconds in (70, 130):
        system.clock.advance(seconds)
        await system.sweep()
    held = {(each.key["stage"], each.figures["stands_s"]) for each in system.alerts()}
    assert held == {
        ("classifier", 68.0),
        ("ratio", 67.0),
        ("lung-dicom-seg", 68.0),
        ("lesion-dicom-seg", 67.0),
    }
    one = system.alerts()[0]
    assert (one.code, one.key) == (
        "standing-job",
        {"job": job(), "run": "1", "stage": "classifier", "service": "classifier"},
    )


async def test_two_replicas_that_find_the_same_standstill_restart_it_once(tmp_path: Path) -> None:
    system = System(tmp_path)
    asked = system.story.input_ready()
    system.intake.take([asked])
    system.clock.advance(70)
    seen = system.restarter.standing(RECEIVED)
    assert len(await system.sweep()) == 1
    other = replace(system.restarter, ledger=Ledger(f"sqlite:///{tmp_path}/ledger.db"))
    assert [other.claim(still) for still in seen] == [False]


async def test_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.intake.take(system.story.whole())
    system.clock.advance(7000)
    assert await system.sweep() == []


@pytest.mark.parametrize(
    "cut",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace(b'"kind":"volume-ready"', b'"kind":"volume-made"'),
        lambda text: text.replace(b'"run":1', b'"run":"first"'),
    ],
)
async def test_an_outcome_that_is_not_understood_counts_as_none(
    tmp_path: Path, cut: Callable[[bytes], bytes]
) -> None:
    system = System(tmp_path)
    asked = system.story.input_ready()
    written = _outcome_of(system.story.made("reader")).model_dump_json(exclude_none=True).encode()
    assert cut(written) != written
    system.store.create(outcomes.key(job(), 1, "reader"), cut(written))
    beside = Story(system.store, case=case_id("covid19-ct", "beside", "study")).input_ready()
    system.intake.take([asked, beside])
    system.clock.advance(70)
    assert sorted(await system.sweep()) == sorted(_named(asked, beside))


async def test_a_job_that_can_t_be_looked_at_keeps_no_other_back(tmp_path: Path) -> None:
    system = System(tmp_path)
    beside = Story(system.store, case=case_id("covid19-ct", "beside", "study")).input_ready()
    system.intake.take([system.story.input_ready(), beside])
    with system.intake.ledger.transaction() as connection:
        connection.execute(
            update(runs).where(runs.c.job_id == job()).values(request={"of": "another make"})
        )
    system.clock.advance(70)
    assert await system.sweep() == _named(beside)


async def test_an_event_that_is_too_large_keeps_no_other_back(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.bus = ChoosyBus("volume-ready")
    made = system.ended("reader", "lung-seg", "lesion-seg")
    system.intake.take([system.story.input_ready()])
    system.clock.advance(70)
    assert sorted(await system.sweep()) == sorted(_named(*made[1:]))


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
        found += [second for event in await system.sweep() if event in _named(asked)]
    assert found == [150]


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_jumps_makes_nothing_stand_and_hides_nothing_that_does(
    tmp_path: Path, hours: int
) -> None:
    system = System(tmp_path)
    asked = system.story.input_ready()
    system.intake.take([asked])
    system.clock.advance(hours * 3600)
    since = system.clock()
    assert await system.sweep(since) == []
    system.clock.advance(70)
    assert await system.sweep(since) == _named(asked)


def _swept(system: System) -> int:
    return sweep(system.intake.ledger, system.intake.concluder, RECEIVED)


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


def _minutes(system: System) -> float:
    return (system.clock() - RECEIVED).total_seconds() / 60
