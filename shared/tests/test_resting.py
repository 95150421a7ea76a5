"""Looks take a tenth of the time, until that would be a minute between two."""

import pytest

from shared.resting import rest


@pytest.mark.parametrize(
    ("took_s", "at_least_s", "rests_s"),
    [(0.01, 5, 5), (2, 5, 18), (600, 5, 60), (600, 90, 90), (0, 0, 0)],
)
def test_the_longer_a_look_takes_the_longer_is_the_rest(
    took_s: float, at_least_s: float, rests_s: float
) -> None:
    assert rest(took_s, at_least_s) == rests_s
