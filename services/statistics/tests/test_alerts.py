"""Alerts: each fires, and keeps quiet where nothing is unusual."""

from collections.abc import Mapping

import pytest

from services.statistics.alerts import Progress, slow_stages, standing_services
from services.statistics.backlog import Reading, progress
from services.statistics.sketch import bin_of
from services.statistics.tally import Series, Tally

READER = Series(stage="reader", lane="routine", pipeline="p")


def _tally(seconds: float, count: int, series: Series = READER) -> Tally:
    return Tally(sketches={series: {"duration": {bin_of(seconds): count}}} if count else {})


def _slow(*parts: Tally) -> list[Mapping[str, str]]:
    """The week that ends now in parts, newest first: the last one is what the others are beside."""
    named = [(f"part {number}", part) for number, part in enumerate(parts)]
    return [raised.key for raised in slow_stages(named, 0.0)]


def test_a_stage_that_takes_twice_its_usual_time_is_told() -> None:
    assert _slow(_tally(8, 30), _tally(4, 500)) == [{"stage": "reader", "pipeline": "p"}]


@pytest.mark.parametrize(("seconds", "an_hour"), [(200, 18), (400, 9), (1200, 3), (3500, 1)])
def test_a_stage_so_slow_that_it_hardly_ends_any_is_told(seconds: float, an_hour: int) -> None:
    """It is judged with what ended in the hours before, also where those were quick."""
    hour, week = _tally(seconds, an_hour), _tally(6, 3000)
    assert len(_slow(hour, _tally(seconds, 20), week)) == 1
    assert len(_slow(hour, _tally(seconds, an_hour), _tally(6, 18), week)) == 1


def test_what_is_compared_is_no_part_of_what_is_usual() -> None:
    """Twenty of two slow days in a week of a hundred would make them usual."""
    assert len(_slow(_tally(60, 2), _tally(60, 18), _tally(6, 100))) == 1


def test_a_slowness_that_is_over_is_not_told_again() -> None:
    assert _slow(_tally(6, 3), _tally(200, 30), _tally(6, 500)) == []
    assert _slow(Tally(), _tally(200, 30), _tally(6, 500)) == []


def test_neither_a_few_samples_nor_milliseconds_are_slow() -> None:
    assert _slow(_tally(8, 10), _tally(8, 5), _tally(4, 500)) == []
    assert _slow(_tally(8, 1), _tally(4, 30), _tally(4, 500)) == []
    assert _slow(_tally(8, 30), _tally(4, 50)) == []
    assert _slow(_tally(0.08, 30), _tally(0.04, 500)) == []


def _reading(lag: int, done: int) -> Reading:
    return Reading({("reader", "routine"): lag}, {"reader": done})


def _after(*readings: tuple[float, Reading]) -> dict[str, Progress]:
    found: dict[str, Progress] = {}
    last = None
    for now, reading in readings:
        found = progress(found, last, reading, now)
        last = reading
    return found


def test_a_service_that_has_work_and_does_none_is_told() -> None:
    stood = _after((0, _reading(3, 7)), (300, _reading(4, 7)), (601, _reading(4, 7)))
    assert [raised.figures for raised in standing_services(stood, 601)] == [
        {"lag": 4.0, "stands_s": 601}
    ]


def test_a_service_that_stands_is_told_also_after_the_clock_was_ahead() -> None:
    idle, ahead = (0, _reading(0, 7)), (10_800, _reading(0, 7))
    stood = _after(idle, ahead, (5, _reading(3, 7)), (300, _reading(3, 7)), (606, _reading(3, 7)))
    assert [raised.figures["stands_s"] for raised in standing_services(stood, 606)] == [601]
    woken = _after(idle, (10_800, _reading(3, 7)), (5, _reading(3, 7)), (606, _reading(3, 7)))
    assert [raised.figures["stands_s"] for raised in standing_services(woken, 606)] == [601]


def test_neither_idleness_nor_slow_progress_is_standing() -> None:
    idle = _after((0, _reading(0, 7)), (601, _reading(0, 7)))
    woken = _after((0, _reading(0, 7)), (601, _reading(1, 7)), (602, _reading(1, 7)))
    slow = _after((0, _reading(3, 7)), (500, _reading(3, 8)), (1000, _reading(3, 8)))
    assert [list(standing_services(each, 1001)) for each in (idle, woken, slow)] == [[], [], []]
