"""Until when figures are whole, by the ends of topics and by what is kept."""

import pytest

from services.statistics.known import Known
from services.statistics.tests.told import NOW_S

AT = ("clarion.volume-ready.v1.stat", 0)


def _measured(*measured: tuple[float, int, int]) -> Known:
    """Measured so many s from now, with this end and this position."""
    known = Known()
    for seconds, end, position in measured:
        known.measured({AT: end}, {AT: position}, NOW_S + seconds)
    return known


def test_where_events_come_all_the_time_an_end_is_waited_for_until_it_is_reached() -> None:
    known = _measured((0, 10, 7), (5, 20, 9), (10, 30, 19), (15, 40, 31))
    assert known.until == NOW_S + 10
    assert known.why_not(NOW_S + 15) == ()


def test_who_does_not_get_on_or_is_not_answered_says_so() -> None:
    known = _measured((0, 10, 7), (5, 20, 10), (60, 30, 19))
    assert known.until == NOW_S
    assert known.why_not(NOW_S + 60) == ()
    assert known.why_not(NOW_S + 61) == (
        "events since 2026-03-02T12:00:00+00:00 may not be counted yet",
    )


def test_before_the_first_end_is_reached_nothing_is_known() -> None:
    assert Known().why_not(NOW_S) == _measured((0, 10, 10)).why_not(NOW_S) != ()


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_clock_that_was_ahead_is_forgotten(rounds: int) -> None:
    ahead = [(10_800.0 + 5 * number, 10, 10) for number in range(rounds)]
    known = _measured((0, 10, 10), *ahead, (5, 10, 10))
    assert known.until is not None
    assert known.until <= NOW_S + 5
    known.measured({AT: 11}, {AT: 11}, NOW_S + 10)
    assert known.until == NOW_S + 5
