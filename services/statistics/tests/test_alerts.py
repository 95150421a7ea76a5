"""Alerts: each fires, and keeps quiet where nothing is unusual."""

from services.statistics.alerts import (
    Progress,
    silent_senders,
    slow_stages,
    standing_services,
    usual_silence,
)
from services.statistics.backlog import Reading, progress
from services.statistics.sketch import bin_of
from services.statistics.tally import Series, Tally

HOUR, DAY = 3600.0, 86_400.0
READER = Series(stage="reader", lane="routine", pipeline="p")


def _workdays(days: int) -> list[float]:
    """A study every quarter of an hour from 8 to 18 o'clock, from day 0 on."""
    return [d * DAY + 8 * HOUR + i * 900.0 for d in range(days) for i in range(41)]


def _silent(moments: list[float], now: float) -> list[str]:
    return [raised.key["sender"] for raised in silent_senders({"ct": moments}, now)]


def test_a_sender_that_falls_silent_in_the_daytime_is_told() -> None:
    moments = [moment for moment in _workdays(8) if moment <= 7 * DAY + 10 * HOUR]
    assert _silent(moments, 7 * DAY + 10.5 * HOUR) == []
    assert _silent(moments, 7 * DAY + 12 * HOUR) == ["ct"]


def test_a_night_is_no_silence() -> None:
    assert _silent(_workdays(7), 7 * DAY + 6 * HOUR) == []


def test_a_weekend_is_none_when_there_was_one_a_week_ago() -> None:
    moments = [m for m in _workdays(12) if m // DAY % 7 < 5]
    assert _silent([m for m in moments if m >= 4 * DAY], 13 * DAY + 12 * HOUR) == []


def test_a_sender_of_whom_little_is_known_is_not_judged() -> None:
    assert usual_silence([0.0, 60.0, 120.0], 1e6) is None


def _tally(seconds: float, count: int, series: Series = READER) -> Tally:
    return Tally(sketches={series: {"duration": {bin_of(seconds): count}}})


def test_a_stage_that_takes_twice_its_usual_time_is_told() -> None:
    raised = list(slow_stages(_tally(8, 30), _tally(4, 500), 0.0))
    assert [each.key for each in raised] == [{"stage": "reader", "pipeline": "p"}]


def test_neither_a_few_samples_nor_milliseconds_are_slow() -> None:
    assert list(slow_stages(_tally(8, 10), _tally(4, 500), 0.0)) == []
    assert list(slow_stages(_tally(8, 30), _tally(4, 50), 0.0)) == []
    assert list(slow_stages(_tally(0.08, 30), _tally(0.04, 500), 0.0)) == []


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


def test_neither_idleness_nor_slow_progress_is_standing() -> None:
    idle = _after((0, _reading(0, 7)), (601, _reading(0, 7)))
    woken = _after((0, _reading(0, 7)), (601, _reading(1, 7)), (602, _reading(1, 7)))
    slow = _after((0, _reading(3, 7)), (500, _reading(3, 8)), (1000, _reading(3, 8)))
    assert [list(standing_services(each, 1001)) for each in (idle, woken, slow)] == [[], [], []]
