"""Which runs their deadline ends, and which only wait."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from services.results.deadlines import sweep
from services.results.ledger import outbox, runs, standing, tables
from services.results.looking import Watch
from services.results.tests.facts import PIPELINE, RECEIVED, Story, intake_into, job
from services.results.tests.marred import MarredStore
from shared.clock import ManualClock
from shared.events.models import JobControl, JobFinished, Lane
from shared.identity import case_id

DEADLINE = timedelta(seconds=PIPELINE.deadline)
MINUTE = timedelta(minutes=1)


class House:
    """A ledger at a time of one's choice, and jobs that come to it."""

    def __init__(self, path: Path) -> None:
        self.store, self.clock = MarredStore(), ManualClock(RECEIVED)
        self.intake = intake_into(path, self.store, self.clock)

    def story(self, name: int, began: datetime, **place: Any) -> Story:
        """Another patient's job."""
        case = case_id("covid19-ct", f"study {name}", "study")
        return Story(self.store, case=case, began=began, **place)

    def begins(self) -> Story:
        """The job that is looked at: its volume is made, and now it waits for two stages."""
        story = Story(self.store)
        self.intake.take([story.input_ready(), story.made("reader")])
        return story

    def others(self, minutes: Iterable[int], **place: Any) -> None:
        """Jobs that come one after the other, and are done in some seconds."""
        for minute in minutes:
            self.intake.take(self.story(minute, RECEIVED + minute * MINUTE, **place).whole())

    def ended_at(self, moment: datetime, watching_since: datetime = RECEIVED) -> int:
        """How many runs a look at that moment ends."""
        self.clock.advance((moment - self.clock()).total_seconds())
        return sweep(self.intake.ledger, self.intake.concluder, watching_since)

    def told(self) -> list[Any]:
        with self.intake.ledger.reading() as connection:
            return [letter.event.data for letter in outbox.unsent(connection)]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_an_outage_longer_than_the_deadline_ends_no_job(house: House) -> None:
    waiting = [house.story(name, RECEIVED) for name in range(12)]
    for story in waiting:
        house.intake.take([story.input_ready(), story.made("reader")])
    assert house.ended_at(RECEIVED + 2 * DEADLINE) == 0
    for story in waiting:  # what segments is back
        house.intake.take(story.whole())
    assert [end.status for end in house.told()] == ["completed"] * 12


def test_a_job_that_others_pass_for_a_deadline_is_late(house: House) -> None:
    house.begins()
    house.others(range(1, 16))
    assert house.ended_at(RECEIVED + DEADLINE + MINUTE) == 0
    house.others(range(16, 18))
    assert house.ended_at(RECEIVED + DEADLINE + 3 * MINUTE) == 1
    finished, control = [told for told in house.told() if told.job_id == job()]
    assert isinstance(finished, JobFinished)
    assert (finished.status, finished.reasons[-1].code) == ("failed", "deadline")
    assert (finished.outputs["volume"], finished.outputs["lung-mask"]) == ("made", "failed")
    assert control == JobControl(job_id=job(), cancelled_to_run=1)


def test_the_time_in_which_nobody_s_work_ended_makes_no_job_late(house: House) -> None:
    house.begins()
    house.others([*range(1, 8), *range(120, 125)])
    assert house.ended_at(RECEIVED + 130 * MINUTE) == 0


def test_a_job_in_a_queue_that_moves_is_not_late(house: House) -> None:
    before = [house.story(minute, RECEIVED - MINUTE) for minute in range(30)]
    for story in before:
        house.intake.take([story.input_ready(), story.made("reader")])
    house.begins()
    for minute, story in enumerate(before):
        at = RECEIVED + minute * MINUTE
        house.intake.take([story.made(stage, finished_at=at) for stage in ("lung-seg", "ratio")])
    assert house.ended_at(RECEIVED + 30 * MINUTE) == 0


@pytest.mark.parametrize("place", [{"lane": Lane.STAT}, {"partition": 3}])
def test_who_stands_in_another_queue_passes_nobody(house: House, place: dict[str, Any]) -> None:
    house.begins()
    house.others(range(1, 30), **place)
    assert house.ended_at(RECEIVED + 30 * MINUTE) == 0


def test_a_job_that_was_sent_to_another_lane_has_another_place_there(house: House) -> None:
    story = house.begins()
    house.others(range(1, 30))
    with house.intake.ledger.transaction() as connection:
        runs.choose_lane(connection, story.job_id, Lane.ROUTINE)
    assert house.ended_at(RECEIVED + 30 * MINUTE) == 0


def test_others_that_a_person_sent_to_the_lane_pass_nobody(house: House) -> None:
    house.begins()
    house.others(range(1, 30))
    with house.intake.ledger.transaction() as connection:
        for minute in range(1, 30):
            moved = house.story(minute, RECEIVED).job_id
            runs.choose_lane(connection, moved, Lane.ROUTINE)
    assert house.ended_at(RECEIVED + 30 * MINUTE) == 0


def test_what_earlier_runs_had_made_passes_nobody(house: House) -> None:
    house.begins()
    for minute in range(1, 30):
        again = house.story(minute, RECEIVED + minute * MINUTE)
        taken_over = [again.made(stage, reused_from=1) for stage in PIPELINE.stages]
        house.intake.take([again.input_ready(), *taken_over])
    assert house.ended_at(RECEIVED + 30 * MINUTE) == 0


def test_what_ended_while_nobody_watched_makes_no_job_late(house: House) -> None:
    house.begins()
    house.others(range(1, 20))
    watching_since = RECEIVED + 19 * MINUTE
    assert house.ended_at(RECEIVED + 40 * MINUTE, watching_since) == 0


def test_a_job_that_is_published_again_stands_behind_those_that_came_before(house: House) -> None:
    story = house.begins()
    house.others(range(1, 20))
    with house.intake.ledger.transaction() as connection:
        run = runs.load(connection, story.job_id)
        assert run is not None
        assert standing.claim_restart(connection, run, RECEIVED + 10 * MINUTE)
    assert house.ended_at(RECEIVED + 20 * MINUTE) == 0
    house.others(range(20, 30))
    assert house.ended_at(RECEIVED + 30 * MINUTE) == 1


def test_nothing_explains_many_deadlines_but_that_nobody_watched(house: House) -> None:
    house.begins()
    late = RECEIVED + 20 * DEADLINE + MINUTE
    assert house.ended_at(late, watching_since=RECEIVED + 10 * DEADLINE) == 0
    assert house.ended_at(late) == 1


def test_a_definition_that_can_t_be_read_keeps_no_other_job_back(house: House) -> None:
    house.begins()
    other = house.story(0, RECEIVED)
    house.intake.take([other.input_ready()])
    unreadable = house.store.put(b"another definition", "application/yaml")
    house.store.bad.add(unreadable.uri)
    with house.intake.ledger.transaction() as connection:
        of_one = tables.runs.c.job_id == other.job_id
        refers = unreadable.model_dump(mode="json")
        connection.execute(update(tables.runs).where(of_one).values(definition=refers))
    assert house.ended_at(RECEIVED + 20 * DEADLINE + MINUTE) == 1


def test_a_clock_that_jumps_makes_nothing_late(house: House) -> None:
    watch = Watch(RECEIVED, RECEIVED, 100.0)
    house.begins()
    jumped = RECEIVED + 30 * DEADLINE
    watch = watch.again(jumped, 101.0)
    assert house.ended_at(jumped, watch.since) == 0
    later = jumped + 20 * DEADLINE + MINUTE
    watch = watch.again(later, 101.0 + (later - jumped).total_seconds())
    assert house.ended_at(later, watch.since) == 1
