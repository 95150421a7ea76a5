"""A lost event is made good from the outcome that holds it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from services.results.ledger.database import Ledger
from services.results.ledger.tables import runs
from services.results.tests.facts import RECEIVED, Story, job
from services.results.tests.standstill import ChoosyBus, System, named, outcome_of
from shared.bus import outcomes
from shared.errors import Unavailable
from shared.identity import case_id


async def test_an_event_that_nobody_heard_is_published_again_as_it_was(tmp_path: Path) -> None:
    system = System(tmp_path)
    (volume,) = system.ended("reader")
    (lungs,) = system.ended("lung-seg")
    system.intake.take([system.story.input_ready(), volume])
    assert await system.sweep() == []
    system.clock.advance(70)
    assert named(lungs)[0] in await system.sweep()
    again = next(r for r in system.bus.records if r.event.id == lungs.event.id)
    assert (again.event, again.place.partition) == (lungs.event, lungs.place.partition)


async def test_what_should_have_woken_a_silent_stage_is_published_again(tmp_path: Path) -> None:
    system = System(tmp_path)
    made = system.ended("reader", "lung-seg", "lesion-seg")
    system.intake.take([system.story.input_ready(), *made])
    system.clock.advance(70)
    assert sorted(await system.sweep()) == sorted(named(*made[1:]))


async def test_a_lost_input_is_published_again_with_its_id(tmp_path: Path) -> None:
    system = System(tmp_path)
    asked = system.story.input_ready()
    system.intake.take([asked])
    system.clock.advance(70)
    assert await system.sweep() == named(asked)


async def test_each_restart_waits_twice_as_long_and_news_begins_anew(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.intake.take([system.story.input_ready()])
    found = []
    for _ in range(5):
        system.clock.advance(61)
        found.append(bool(await system.sweep()))
    assert found == [True, False, True, False, False]


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
    written = outcome_of(system.story.made("reader")).model_dump_json(exclude_none=True).encode()
    assert cut(written) != written
    system.store.create(outcomes.key(job(), 1, "reader"), cut(written))
    beside = Story(system.store, case=case_id("covid19-ct", "beside", "study")).input_ready()
    system.intake.take([asked, beside])
    system.clock.advance(70)
    assert sorted(await system.sweep()) == sorted(named(asked, beside))


async def test_an_outcome_that_can_t_be_read_counts_as_none(tmp_path: Path) -> None:
    system = System(tmp_path)
    asked = system.story.input_ready()
    beside = Story(system.store, case=case_id("covid19-ct", "beside", "study")).input_ready()
    system.ended("reader")
    system.intake.take([asked, beside])
    system.store.bad.add(outcomes.key(job(), 1, "reader"))
    system.clock.advance(70)
    assert sorted(await system.sweep()) == sorted(named(asked, beside))


async def test_a_definition_that_can_t_be_read_keeps_the_jobs_of_no_other_back(
    tmp_path: Path,
) -> None:
    system = System(tmp_path)
    beside = Story(system.store, case=case_id("covid19-ct", "beside", "study")).input_ready()
    system.intake.take([system.story.input_ready(), beside])
    unreadable = system.store.put(b"another definition", "application/yaml")
    with system.intake.ledger.transaction() as connection:
        connection.execute(
            update(runs)
            .where(runs.c.job_id == job())
            .values(definition=unreadable.model_dump(mode="json"))
        )
    system.store.bad.add(unreadable.uri)
    system.clock.advance(70)
    assert await system.sweep() == named(beside)


async def test_while_the_store_is_down_nothing_is_restarted(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.intake.take([system.story.input_ready()])
    system.store.is_down = True
    system.clock.advance(70)
    with pytest.raises(Unavailable):
        await system.sweep()


async def test_a_job_that_can_t_be_looked_at_keeps_no_other_back(tmp_path: Path) -> None:
    system = System(tmp_path)
    beside = Story(system.store, case=case_id("covid19-ct", "beside", "study")).input_ready()
    system.intake.take([system.story.input_ready(), beside])
    with system.intake.ledger.transaction() as connection:
        connection.execute(
            update(runs).where(runs.c.job_id == job()).values(request={"of": "another make"})
        )
    system.clock.advance(70)
    assert await system.sweep() == named(beside)


async def test_an_event_that_is_too_large_keeps_no_other_back(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.bus = ChoosyBus("volume-ready")
    made = system.ended("reader", "lung-seg", "lesion-seg")
    system.intake.take([system.story.input_ready()])
    system.clock.advance(70)
    assert sorted(await system.sweep()) == sorted(named(*made[1:]))


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
    assert await system.sweep(since) == named(asked)
