"""A sender that falls silent is told the same day, and a night or a weekend is no silence."""

from collections.abc import Sequence
from random import Random

import pytest

from services.statistics.silence import silent_senders

HOUR, DAY = 3600.0, 86_400.0
KEPT = 11 * DAY
QUARTER = 900.0


def _days(numbers: Sequence[int], studies: int = 41) -> list[float]:
    """So many studies on each of these days, from 8 to 18 o'clock."""
    step = 10 * HOUR / (studies - 1)
    return [day * DAY + 8 * HOUR + n * step for day in numbers for n in range(studies)]


def _weekdays(days: int) -> list[int]:
    return [day for day in range(days) if day % 7 < 5]


def _silent(moments: Sequence[float], now: float) -> list[str]:
    known = [moment for moment in moments if now - KEPT < moment <= now]
    return [raised.key["sender"] for raised in silent_senders({"ct": known}, now)]


def _told_after(moments: Sequence[float], now: float) -> float:
    """In h, when nothing comes from `now` on."""
    known = [moment for moment in moments if moment <= now]
    waits = (number * QUARTER for number in range(11 * 96))
    return next(wait for wait in waits if _silent(known, known[-1] + wait)) / HOUR


@pytest.mark.parametrize(("studies", "hours"), [(5, 8), (10, 4), (15, 3), (20, 2.5), (41, 1)])
def test_who_falls_silent_in_the_morning_is_told_the_same_day(studies: int, hours: float) -> None:
    assert _told_after(_days(range(12), studies), 11 * DAY + 10 * HOUR) <= hours
    assert _told_after(_days(_weekdays(12), studies), 11 * DAY + 10 * HOUR) <= 1.5 * hours


def test_a_gap_of_half_an_hour_is_no_silence() -> None:
    moments = [moment for moment in _days(range(8)) if moment <= 7 * DAY + 10 * HOUR]
    assert _silent(moments, 7 * DAY + 10.5 * HOUR) == []
    assert _silent(moments, 7 * DAY + 12 * HOUR) == ["ct"]


@pytest.mark.parametrize("studies", [5, 20, 41])
def test_neither_a_night_nor_a_weekend_nor_the_morning_after_is_one(studies: int) -> None:
    """Two weeks on end, from when a week is known, with studies some minutes early or late."""
    chance = Random(studies)  # noqa: S311 - the same weeks again
    late = 2 * HOUR / studies
    days = _days(_weekdays(24), studies)
    moments = sorted(moment + chance.uniform(-late, late) for moment in days)
    looks = [9 * DAY + number * QUARTER for number in range(14 * 96)]
    assert [now for now in looks if _silent(moments, now)] == []


@pytest.mark.parametrize("first", range(7))
@pytest.mark.parametrize("studies", [5, 20, 41])
def test_nor_is_the_first_weekend_of_a_sender(studies: int, first: int) -> None:
    """Whatever day of the week it begins on, in its first two weeks."""
    moments = _days([day for day in _weekdays(28) if day >= first], studies)
    looks = [first * DAY + number * QUARTER for number in range(14 * 96)]
    assert [now for now in looks if _silent(moments, now)] == []


def test_a_sender_is_judged_from_its_second_week_on() -> None:
    moments = _days(range(8))
    assert _silent([each for each in moments if each < 3 * DAY], 3 * DAY + 14 * HOUR) == []
    assert _silent([each for each in moments if each < 7 * DAY], 7 * DAY + 14 * HOUR) == ["ct"]


def test_an_outage_in_the_past_makes_none_usual() -> None:
    moments = _days([day for day in range(12) if day != 8])
    assert _told_after(moments, 11 * DAY + 10 * HOUR) <= 2


def test_a_silence_is_told_until_its_sender_is_forgotten() -> None:
    moments = [moment for moment in _days(range(12), 10) if moment <= 11 * DAY + 10 * HOUR]
    days = [moments[-1] + day * DAY for day in range(1, 10)]
    assert [now for now in days if not _silent(moments, now)] == []


def test_a_sender_of_whom_little_is_known_is_not_judged() -> None:
    assert _silent([0.0, 60.0, 120.0], 2 * DAY) == []


def test_seconds_without_a_study_are_no_silence_of_a_sender_that_sends_many() -> None:
    moments = [number * 5.0 for number in range(2000)]
    assert _silent(moments, moments[-1] + 300) == []
